"""What a worker reads when SQLite refuses: workerd's wording, built from SQLite's own errors.

Owns the texts. `<message>[ at offset <bytes>]: <SQLITE_CODE>[ (extended: <SQLITE_CODE_…>)]`;
the prefix `D1_ERROR: ` is added by the guest's client, as in production.
Source: workerd src/workerd/util/sqlite.c++ (dbErrorMessage), sqlite.c++ (Wrong number of …).
"""

from __future__ import annotations

import apsw

NO_STATEMENTS = "No SQL statements detected."
NOT_A_STATEMENT = "SQL code did not contain a statement."
ONLY_LAST_HAS_PARAMETERS = (
    "When executing multiple SQL statements in a single call, only the last statement can have "
    "parameters."
)
WRONG_PARAMETERS = "Wrong number of parameter bindings for SQL query."
NOT_AUTHORIZED = "not authorized: SQLITE_AUTH"
STATEMENT_TOO_LONG = "statement too long: SQLITE_TOOBIG"
# docs d1/observability/debug-d1; production also restarts the database, here nothing is lost.
TIMED_OUT = "D1 DB storage operation exceeded timeout which caused object to be reset."
RESULT_TOO_LARGE = "D1 DB's isolate exceeded its memory limit and was reset."
CONNECTION_LOST = "Network connection lost."  # the caller went away, or the server stops
# What the official local engine answers; production refuses every database that is not an alpha.
DUMP_REFUSED = "Status + 404"
NOT_UTF8 = "The result holds text that is not UTF-8, which is read with SELECT only."


def error_message(error: apsw.Error) -> str:
    """Return the text a worker reads for `error`."""
    if isinstance(error, apsw.BindingsError):
        return WRONG_PARAMETERS
    code: int | None = getattr(error, "result", None)
    if code is None:  # apsw itself complains
        return str(error)
    return with_code(str(error), offset(error), code, getattr(error, "extendedresult", None))


def offset(error: apsw.Error) -> int:
    """Return which byte of the SQL `error` is about, -1 when SQLite does not know."""
    return getattr(error, "error_offset", -1)


def with_code(
    message: str, at_byte: int, code: int = apsw.SQLITE_ERROR, extended: int | None = None
) -> str:
    """Return `message` with its place in bytes, if not negative, and the names of its codes."""
    place = f" at offset {at_byte}" if at_byte >= 0 else ""
    primary = apsw.mapping_result_codes.get(code, "SQLITE_ERROR")
    name = apsw.mapping_extended_result_codes.get(extended) if extended is not None else None
    return f"{message}{place}: {primary}" + (f" (extended: {name})" if name else "")
