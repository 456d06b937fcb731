"""The HTTP protocol of workerd's D1 client module: a request's parts in, a response's parts out.

Owns paths, headers, formats and the JSON of both directions. It opens no socket: its caller serves
it. The client reads the body at any status.
Source: docs/platform/d1.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bindings.d1.database import D1, to_queries
from bindings.http import HttpAnswer, json_answer, large_json_answer
from bindings.sql.errors import DUMP_REFUSED
from bindings.sql.values import with_lists
from emulator.answers.d1 import ObjectResult, Result
from emulator.errors import WorkerError

SESSION_HEADER = "x-cf-d1-session-commit-token"

# To hand work to another thread and back costs more than to read or write so much.
AT_ONCE_MAX_BYTES = 16 * 1024
_NUMBER_BYTES = 8

_QUERY_PATHS = ("/query", "/execute")


class MalformedRequest(Exception):
    """A body that the client module would not send; the text says what was found."""


async def answer(
    database: D1, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer one request of the client module on `database`.

    `target` is the path with its query, or a whole URL; the names in `headers` are lower case.
    `POST /query?resultsFormat=ROWS_AND_COLUMNS` with `{"sql": "SELECT ?", "params": [1]}` gives
    status 200 and `[{"success": true, "results": {"columns": …, "rows": …}, "meta": …}]`. An error
    of the database is status 200 too, with `{"success": false, "error": "…"}`.
    """
    url = urlsplit(target)
    if url.path not in (*_QUERY_PATHS, "/dump"):
        return _failure(404, f'D1 has no path "{url.path}"; expected /query, /execute or /dump.')
    if method != "POST":
        return _failure(405, f"D1 expects POST, not {method}.")
    if url.path == "/dump":
        return _failure(404, DUMP_REFUSED)
    try:
        small = len(body) <= AT_ONCE_MAX_BYTES
        entries = parse_entries(body) if small else await asyncio.to_thread(parse_entries, body)
    except MalformedRequest as error:
        return _failure(400, str(error))
    results_format = parse_qs(url.query).get("resultsFormat", [""])[-1]
    try:
        results = await database.run(to_queries(entries))
    except WorkerError as error:
        return _failure(200, error.message)
    as_json = with_row_lists if results_format == "ROWS_AND_COLUMNS" else with_row_objects
    if _is_small(results):
        found = [as_json(result) for result in results]
        return json_answer(200, found, {SESSION_HEADER: database.bookmark})
    return await asyncio.to_thread(_found, results, as_json, database.bookmark)


def _found(
    results: list[Result], as_json: Callable[[Result], Result | ObjectResult], bookmark: str
) -> HttpAnswer:
    found = [as_json(result) for result in results]
    return large_json_answer(200, found, {SESSION_HEADER: bookmark})


def _is_small(results: list[Result]) -> bool:
    """Whether these results are encoded faster here than handed to another thread and back."""
    left = AT_ONCE_MAX_BYTES
    for result in results:
        for row in result["results"]["rows"]:
            for value in row:
                left -= len(value) if isinstance(value, str | bytes) else _NUMBER_BYTES
            if left < 0:
                return False
    return True


def parse_entries(body: bytes) -> list[dict[str, Any]]:
    """Return the queries of a request body, one object or a list of them, blobs as bytes.

    `{"sql": "SELECT ?", "params": [[1, 300]]}` -> `[{"sql": "SELECT ?", "params": [b"\\x01,"]}]`.
    Raises MalformedRequest.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"The body of the request is not JSON: {error}") from None
    return [_entry(item) for item in (parsed if isinstance(parsed, list) else [parsed])]


def _entry(item: object) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("sql"), str):
        raise MalformedRequest('expected {"sql": text, "params": list or null}, or a list of those')
    params = item.get("params")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise MalformedRequest(f'"params" is {type(params).__name__}, expected a list or null')
    return {
        "sql": item["sql"],
        "params": [_bytes(param) if isinstance(param, list) else param for param in params],
    }


def _bytes(items: list[Any]) -> bytes:
    # The result of `new Uint8Array(items)`: a typed array of floats arrives with its elements.
    try:
        return bytes(int(item or 0) & 0xFF for item in items)
    except (TypeError, ValueError, OverflowError):
        raise MalformedRequest("a list parameter holds something that is not a number") from None


def with_row_lists(result: Result) -> Result:
    """Return `result` for JSON: a BLOB is a list of ints."""
    found = result["results"]
    return {**result, "results": {**found, "rows": with_lists(found["rows"])}}


def with_row_objects(result: Result) -> ObjectResult:
    """Return `result` with one object per row; of columns with the same name, the last counts."""
    columns = result["results"]["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in with_lists(result["results"]["rows"])]
    return {"success": True, "results": rows, "meta": result["meta"]}


def _failure(status: int, text: str) -> HttpAnswer:
    return json_answer(status, {"success": False, "error": text})
