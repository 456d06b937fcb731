"""The limits every D1 connection has, and the settings a worker's PRAGMAs cannot keep changed."""

from __future__ import annotations

import sqlite3

# Source: workerd src/workerd/util/sqlite.c++ (setupSecurity) and docs d1/platform/limits; where
# they differ, the smaller one, so that what works here works in production.
LENGTH_MAX_BYTES = 2_000_000
SQL_MAX_BYTES = 100_000
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LENGTH_MAX_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: SQL_MAX_BYTES,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    # An older SQLite makes larger programs of the same text, such as a long IN list.
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000 if sqlite3.sqlite_version_info >= (3, 46) else 100_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 32,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
}

# Whether Python can forbid writing to the tables inside an FTS5 index: 3.12 and later can.
IS_DEFENSIVE = hasattr(sqlite3.Connection, "setconfig")

QUERY_TIMEOUT_MS = 30_000  # docs d1/platform/limits: maximum query duration, a batch included

# "PRAGMA statements only apply to the current transaction" (docs d1/sql-api/sql-statements), so
# these are set when a connection opens and again after every call that ran a PRAGMA.
SETTINGS = (
    "PRAGMA foreign_keys = on",
    "PRAGMA case_sensitive_like = off",
    "PRAGMA ignore_check_constraints = off",
    "PRAGMA legacy_alter_table = off",
    "PRAGMA recursive_triggers = off",
    "PRAGMA reverse_unordered_selects = off",
)


def apply_limits(connection: sqlite3.Connection) -> None:
    """Lower every limit of `connection` to D1's, and turn SQLite's defensive mode on."""
    for category, limit in LIMITS.items():
        connection.setlimit(category, limit)
    if IS_DEFENSIVE:
        # SQLITE_DBCONFIG_DEFENSIVE, sqlite.org/c3ref/c_dbconfig_defensive.html
        connection.setconfig(1010, True)  # type: ignore[attr-defined, unused-ignore]
