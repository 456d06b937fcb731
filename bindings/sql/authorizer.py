"""Decides which SQL a worker may run, one SQLite action at a time. Pure: it runs no SQL.

SQLite asks while it prepares a statement (sqlite.org/c3ref/set_authorizer.html) and prepared
statements are cached, so a statement sent again costs nothing here.
Source: docs/platform/d1.md, "What SQL is allowed".
"""

from __future__ import annotations

import re

import apsw

TRANSACTION_REFUSED = (
    "To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT "
    "statements. The JavaScript API is safer because it will automatically roll back on "
    "exceptions, and because it interacts correctly with Durable Objects' automatic atomic "
    "write coalescing."
)

RESERVED_PREFIX = "_cf_"
MODULES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

# Tables that SQLite has built in and that workerd's build does not have.
_FOREIGN_TABLES = frozenset(
    {"dbstat", "sqlite_stmt", "sqlite_dbpage", "bytecode", "tables_used", "fts3tokenize"}
)

FUNCTIONS = frozenset(
    # Scalar and aggregate functions.
    """abs avg changes char coalesce concat concat_ws count format glob group_concat hex ifnull iif
    instr last_insert_rowid length like likelihood likely load_extension lower ltrim max min
    nullif octet_length printf quote random randomblob replace round rtrim sign string_agg
    substr substring sum total total_changes trim typeof unhex unicode unlikely upper zeroblob"""
    # Dates.
    """ current_date current_time current_timestamp date datetime julianday strftime time timediff
    unixepoch"""
    # Window functions.
    """ cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank
    row_number"""
    # Mathematics.
    """ acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log
    log2 mod pi pow radians sin sinh sqrt tan tanh trunc"""
    # JSON.
    """ -> ->> json json_array json_array_insert json_array_length json_each
    json_extract json_group_array json_group_object json_insert json_object json_patch
    json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array
    jsonb_array_insert jsonb_each jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert
    jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree"""
    # FTS5 and R*Tree.
    """ bm25 highlight match rtreecheck snippet"""
    # Functions that ALTER TABLE uses; SQLite lets nobody call these by name.
    """ sqlite_add_constraint sqlite_drop_column sqlite_drop_constraint sqlite_fail
    sqlite_find_constraint sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table
    sqlite_rename_test""".split()
)

# The results of these belong to the one connection that writes.
_WRITER_FUNCTIONS = frozenset({"changes", "last_insert_rowid", "total_changes", "load_extension"})

# workerd looks only at the beginning of the argument.
_BOOLEAN = re.compile(r"""["']?(?:on|off|true|false|yes|no|1|0)""", re.IGNORECASE)
_INTEGER = re.compile(r"-?\d+|0x[\da-f]+", re.IGNORECASE)
_PRAGMAS_WITHOUT_ARGUMENT = frozenset({"data_version", "page_size", "table_list"})
_PRAGMAS_BOOLEAN = frozenset(
    """case_sensitive_like foreign_keys defer_foreign_keys ignore_check_constraints
    legacy_alter_table recursive_triggers reverse_unordered_selects""".split()
)
_PRAGMAS_OF_AN_OBJECT = frozenset(
    "foreign_key_list index_info index_list index_xinfo table_info table_xinfo".split()
)
_PRAGMAS_OF_ANY_OBJECT = frozenset({"foreign_key_check", "quick_check", "table_list"})

_READ_ACTIONS = frozenset(
    {
        apsw.SQLITE_SELECT,
        apsw.SQLITE_READ,
        apsw.SQLITE_FUNCTION,
        apsw.SQLITE_RECURSIVE,
        apsw.SQLITE_PRAGMA,
    }
)
_TABLE_ACTIONS = frozenset(
    {
        apsw.SQLITE_READ,
        apsw.SQLITE_INSERT,
        apsw.SQLITE_UPDATE,
        apsw.SQLITE_DELETE,
        apsw.SQLITE_CREATE_TABLE,
        apsw.SQLITE_CREATE_INDEX,
        apsw.SQLITE_CREATE_VIEW,
        apsw.SQLITE_CREATE_TRIGGER,
        apsw.SQLITE_DROP_TABLE,
        apsw.SQLITE_DROP_INDEX,
        apsw.SQLITE_DROP_VIEW,
        apsw.SQLITE_DROP_TRIGGER,
        apsw.SQLITE_DROP_VTABLE,
        apsw.SQLITE_REINDEX,
        apsw.SQLITE_ANALYZE,
    }
)
_TRANSACTION_ACTIONS = frozenset({apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT})


class Authorizer:
    """The callback of one connection. Call `begin()` before each statement; then read `refusal`.

    `refusal` is a text that replaces SQLite's own. `needs_writer` says that only the connection
    for writing can run the statement.
    """

    def __init__(self, *, reads_only: bool) -> None:
        self.trusted = True
        self.refusal: str | None = None
        self.needs_writer = False
        self._reads_only = reads_only

    def begin(self) -> None:
        """Forget what was noted about the statement before this one."""
        self.refusal = None
        self.needs_writer = False

    def __call__(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        _: str | None,
    ) -> int:
        if self.trusted:
            return apsw.SQLITE_OK
        if self._reads_only and not _is_answered_by_reader(action, first, second):
            self.needs_writer = True
            return apsw.SQLITE_DENY
        if action in _TRANSACTION_ACTIONS:
            self.refusal = TRANSACTION_REFUSED
            return apsw.SQLITE_DENY
        if action == apsw.SQLITE_READ and (first or "").lower() in _FOREIGN_TABLES:
            self.refusal = f"no such table: {first}: SQLITE_ERROR"
        allowed = is_allowed(action, first, second, database)
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY


def is_allowed(action: int, first: str | None, second: str | None, database: str | None) -> bool:
    """Return whether a worker may do `action`; what `first` and `second` are depends on it."""
    if action == apsw.SQLITE_ALTER_TABLE:
        # Here `first` is the database; for DROP COLUMN, `database` is the column.
        return first == "main" and is_table_allowed(second or "")
    if database == "temp":
        # ALTER TABLE reads the temporary schema; nothing else may.
        if action not in (apsw.SQLITE_READ, apsw.SQLITE_UPDATE):
            return False
    elif database not in (None, "main"):
        return False
    if action in _TABLE_ACTIONS:
        return is_table_allowed(first or "")
    if action == apsw.SQLITE_FUNCTION:
        return (second or "").lower() in FUNCTIONS
    if action == apsw.SQLITE_PRAGMA:
        return is_pragma_allowed((first or "").lower(), second)
    if action == apsw.SQLITE_CREATE_VTABLE:
        return is_table_allowed(first or "") and (second or "").lower() in MODULES
    return action in (apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE)


def is_table_allowed(name: str) -> bool:
    """Return whether a worker may name this table, index, view or trigger."""
    lowered = name.lower()
    return not lowered.startswith(RESERVED_PREFIX) and lowered not in _FOREIGN_TABLES


def is_pragma_allowed(name: str, argument: str | None) -> bool:
    """Return whether `PRAGMA name` or `PRAGMA name(argument)` is one D1 documents."""
    if argument is None:
        return name in (
            _PRAGMAS_WITHOUT_ARGUMENT | _PRAGMAS_BOOLEAN | _PRAGMAS_OF_ANY_OBJECT | {"optimize"}
        )
    if name in _PRAGMAS_BOOLEAN:
        return _BOOLEAN.match(argument) is not None
    if name == "optimize":
        return _INTEGER.fullmatch(argument) is not None
    return name in _PRAGMAS_OF_AN_OBJECT or name in _PRAGMAS_OF_ANY_OBJECT


def _is_answered_by_reader(action: int, first: str | None, second: str | None) -> bool:
    if action == apsw.SQLITE_FUNCTION:
        return (second or "").lower() not in _WRITER_FUNCTIONS
    if action == apsw.SQLITE_PRAGMA:
        return (first or "").lower() in _PRAGMAS_OF_AN_OBJECT | _PRAGMAS_WITHOUT_ARGUMENT
    return action in _READ_ACTIONS
