"""What a worker reads when SQLite refuses: workerd's wording, built from Python's exceptions.

Owns the texts. `<message>[ at offset <bytes>]: <SQLITE_CODE>[ (extended: <SQLITE_CODE_…>)]`;
the prefix `D1_ERROR: ` is added by the guest's client, as in production.
Source: workerd src/workerd/util/sqlite.c++ (dbErrorMessage), sqlite.c++ (Wrong number of …).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

from bindings.d1.limits import LIMITS
from bindings.d1.splitter import tokens

NO_STATEMENTS = "No SQL statements detected."
NOT_A_STATEMENT = "SQL code did not contain a statement."
ONLY_LAST_HAS_PARAMETERS = (
    "When executing multiple SQL statements in a single call, only the last statement can have "
    "parameters."
)
WRONG_PARAMETERS = "Wrong number of parameter bindings for SQL query."
NOT_AUTHORIZED = "not authorized: SQLITE_AUTH"
# docs d1/observability/debug-d1; production also restarts the database, here nothing is lost.
TIMED_OUT = "D1 DB storage operation exceeded timeout which caused object to be reset."
CONNECTION_LOST = "Network connection lost."  # the caller went away, or the server stops
# What the official local engine answers; production refuses every database that is not an alpha.
DUMP_REFUSED = "Status + 404"

_PRIMARY_NAMES = (
    "SQLITE_OK SQLITE_ERROR SQLITE_INTERNAL SQLITE_PERM SQLITE_ABORT SQLITE_BUSY SQLITE_LOCKED "
    "SQLITE_NOMEM SQLITE_READONLY SQLITE_INTERRUPT SQLITE_IOERR SQLITE_CORRUPT SQLITE_NOTFOUND "
    "SQLITE_FULL SQLITE_CANTOPEN SQLITE_PROTOCOL SQLITE_EMPTY SQLITE_SCHEMA SQLITE_TOOBIG "
    "SQLITE_CONSTRAINT SQLITE_MISMATCH SQLITE_MISUSE SQLITE_NOLFS SQLITE_AUTH SQLITE_FORMAT "
    "SQLITE_RANGE SQLITE_NOTADB SQLITE_NOTICE SQLITE_WARNING"
).split()

_NAMES_PYTHON_LACKS = {3091: "SQLITE_CONSTRAINT_DATATYPE"}
_NEWER_WORDS = {"too many levels of trigger recursion": "triggers nested too deep"}

_SYNTAX_ERROR = re.compile(r'near "(.*)": syntax error', re.DOTALL)
_UNRECOGNIZED = re.compile(r'unrecognized token: "(.*)"', re.DOTALL)
_VARIABLE_NUMBER = re.compile(r"variable number must be between \?1 and \?(\d+)")
# Messages for which SQLite knows where the name stands.
_NAMES_A_PLACE = re.compile(
    r"(?:no such column: |ambiguous column name: |misuse of aggregate(?: function |: )"
    r"|no such function: |not authorized to use function: "
    r"|too many arguments on function |wrong number of arguments to function |table |view )"
    r"([^ ()]+)(?:\(\))?(?: already exists)?"
)


def is_undecodable_text(error: sqlite3.Error) -> bool:
    """Return whether Python, not SQLite, failed: a TEXT cell that is not UTF-8."""
    return str(error).startswith("Could not decode to UTF-8")


def error_message(error: sqlite3.Error, sql: str, explain: Callable[[str], str | None]) -> str:
    """Return the text a worker reads for `error`, raised by the one statement `sql`.

    `explain(text)` prepares `text` without running it and returns SQLite's complaint, or None.
    """
    message = str(error)
    # Python's own checks come before SQLite's and carry no code.
    if message.startswith("Incorrect number of bindings"):
        return WRONG_PARAMETERS
    if message == "query string is too large":
        return "statement too long: SQLITE_TOOBIG"
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return message
    message = _NEWER_WORDS.get(message, message)
    offset = error_offset(message, sql, explain)
    place = "" if offset is None else f" at offset {offset}"
    primary = _PRIMARY_NAMES[code & 0xFF] if code & 0xFF < len(_PRIMARY_NAMES) else "SQLITE_ERROR"
    name = _NAMES_PYTHON_LACKS.get(code, getattr(error, "sqlite_errorname", ""))
    extended = f" (extended: {name})" if code > 0xFF else ""
    return f"{message}{place}: {primary}{extended}"


def error_offset(message: str, sql: str, explain: Callable[[str], str | None]) -> int | None:
    """Return the byte offset in `sql` that SQLite means by `message`, or None when not certain.

    Python's sqlite3 hides sqlite3_error_offset, so it is found again: for a syntax error by
    preparing the text up to each candidate token (the parser fails at the first token that cannot
    follow), for a name by its only occurrence outside quotes and comments.
    """
    if match := _SYNTAX_ERROR.fullmatch(message):
        position = _find_syntax_error(match[1], message, sql, explain)
    elif match := _UNRECOGNIZED.fullmatch(message):
        position = sql.find(match[1]) if sql.count(match[1]) == 1 else None
    elif match := _NAMES_A_PLACE.fullmatch(message):
        position = _find_name(match[1], sql)
    elif match := _VARIABLE_NUMBER.fullmatch(message):
        position = _find_variable_outside(int(match[1]), sql)
    elif message == "too many SQL variables":
        position = _find_first_variable_too_many(sql)
    else:
        position = None
    return None if position is None else len(sql[:position].encode(errors="replace"))


def _find_syntax_error(
    token: str, message: str, sql: str, explain: Callable[[str], str | None]
) -> int | None:
    candidates = [found for found in tokens(sql) if found.text == token]
    for found in candidates:
        if explain(sql[: found.start + len(token)]) == message:
            return found.start
    return None


def _find_name(name: str, sql: str) -> int | None:
    code = "".join(
        " " * len(token.text) if token.kind in ("quoted", "comment") else token.text
        for token in tokens(sql)
    )
    pattern = rf"(?<![\w$.]){re.escape(name)}(?![\w$])"
    found = list(re.finditer(pattern, code, re.IGNORECASE))
    if len(found) != 1:
        return None
    # SQLite forgets the place of the column that UPDATE sets: `SET nope = 1`.
    if re.match(r"\s*=", code[found[0].end() :]) and re.match(r"\s*update\b", code, re.IGNORECASE):
        return None
    return found[0].start()


def _find_variable_outside(highest: int, sql: str) -> int | None:
    for token in tokens(sql):
        if token.kind == "variable" and token.text[1:].isdigit():
            if not 1 <= int(token.text[1:]) <= highest:
                return token.start
    return None


def _find_first_variable_too_many(sql: str) -> int | None:
    variables = [token for token in tokens(sql) if token.kind == "variable"]
    if any(token.text != "?" for token in variables):
        return None
    return variables[LIMITS[sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER]].start
