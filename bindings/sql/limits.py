"""The limits of every D1 connection, and the settings that are reset after a worker's PRAGMA."""

from __future__ import annotations

import apsw

# Where workerd and the documentation differ, the smaller number is used, so that what works here
# works in production. Source: docs/platform/d1.md, "Limits".
LENGTH_MAX_BYTES = 2_000_000
SQL_MAX_BYTES = 100_000
LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: LENGTH_MAX_BYTES,
    apsw.SQLITE_LIMIT_SQL_LENGTH: SQL_MAX_BYTES,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    # The code says 25,000, but workerd runs programs of 150,000, which its SQL length allows.
    apsw.SQLITE_LIMIT_VDBE_OP: 250_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
}
# The most that one call may return, as JSON. Production documents no number. There, a database and
# a worker have 128 MB of memory each, and a result is in that memory several times.
# Source: https://developers.cloudflare.com/workers/platform/limits/.
RESULT_MAX_BYTES = 60_000_000

# The maximum duration of a query, or of a batch. Source: docs/platform/d1.md, "Limits".
QUERY_TIMEOUT_MS = 30_000

# "PRAGMA statements only apply to the current transaction". So these are set when a connection
# opens, and again after every call that ran a PRAGMA.
# Source: https://developers.cloudflare.com/d1/sql-api/sql-statements/.
SETTINGS = (
    "PRAGMA foreign_keys = on",
    "PRAGMA case_sensitive_like = off",
    "PRAGMA ignore_check_constraints = off",
    "PRAGMA legacy_alter_table = off",
    "PRAGMA recursive_triggers = off",
    "PRAGMA reverse_unordered_selects = off",
)


def apply_limits(connection: apsw.Connection) -> None:
    """Lower every limit of `connection` to D1's, and turn SQLite's defensive mode on."""
    for category, limit in LIMITS.items():
        connection.limit(category, limit)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
