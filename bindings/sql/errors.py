"""The errors that a worker gets when SQLite refuses: workerd's words, made from SQLite's errors.

Owns the texts. `<message>[ at offset <bytes>]: <SQLITE_CODE>[ (extended: <SQLITE_CODE_…>)]`;
the prefix `D1_ERROR: ` is added by the guest's client, as in production.
Source: docs/platform/d1.md, "Errors".
"""

from __future__ import annotations

import re

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
# Production also restarts the database; here nothing is lost.
# Source: https://developers.cloudflare.com/d1/observability/debug-d1/.
TIMED_OUT = "D1 DB storage operation exceeded timeout which caused object to be reset."
RESULT_TOO_LARGE = "D1 DB's isolate exceeded its memory limit and was reset."
CONNECTION_LOST = "Network connection lost."  # the caller went away, or the server stops
# The local service's answer. Production refuses it for every database that is not an alpha one.
DUMP_REFUSED = "Status + 404"
NOT_UTF8 = "The result holds text that is not UTF-8, which is read with SELECT only."


# Functions that apsw's SQLite has and workerd's does not.
_FOREIGN_FUNCTIONS = frozenset(
    """fts3_tokenizer geopoly_area geopoly_bbox geopoly_blob geopoly_ccw geopoly_contains_point
    geopoly_debug geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular geopoly_svg
    geopoly_within geopoly_xform matchinfo median offsets optimize percentile percentile_cont
    percentile_disc""".split()
)
_REFUSED_FUNCTION = re.compile(
    r"(?:not authorized to use function: |wrong number of arguments to function )(\w+)(?:\(\))?"
)


def error_message(error: apsw.Error) -> str:
    """Return the text that a worker gets for `error`."""
    if isinstance(error, apsw.BindingsError):
        return WRONG_PARAMETERS
    code: int | None = getattr(error, "result", None)
    if code is None:  # an error of apsw itself
        return str(error)
    message = str(error)
    refused = _REFUSED_FUNCTION.fullmatch(message)
    if refused and refused[1].lower() in _FOREIGN_FUNCTIONS:
        message = f"no such function: {refused[1]}"
    offset: int = getattr(error, "error_offset", -1)
    place = f" at offset {offset}" if offset >= 0 else ""
    primary = apsw.mapping_result_codes.get(code, "SQLITE_ERROR")
    extended = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", code))
    return f"{message}{place}: {primary}" + (f" (extended: {extended})" if extended else "")
