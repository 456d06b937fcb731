"""Reads and checks the query and the body fields of the API's requests.

Every problem is an `ApiError` with
status 400 that names the parameter, what was found and what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NoReturn

from starlette.requests import Request

from emulator.durations import InvalidDuration, read_retention
from emulator.json_types import Json
from emulator.server.api.envelope import INTERNAL, ApiError

_PAGE_MAX = 1_000_000_000


def bad(message: str) -> ApiError:
    """Return the error for a request that cannot be understood."""
    return ApiError(400, INTERNAL, message)


def whole_number(request: Request, name: str, default: int, largest: int = _PAGE_MAX) -> int:
    """Return a query parameter between 1 and `largest`; SDKs write 2 as `2` or `2.0`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    number = text.removesuffix(".0")
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(_PAGE_MAX))):
        raise bad(f"'{name}' is '{text}'; expected a whole number from 1 to {largest}.")
    if not 1 <= int(number) <= largest:
        raise bad(f"'{name}' is {number}; expected a whole number from 1 to {largest}.")
    return int(number)


def choice(request: Request, name: str, allowed: Collection[str]) -> str | None:
    """Return a query parameter that must be one of a few words; None when it is missing."""
    text = request.query_params.get(name)
    if text is not None and text not in allowed:
        raise bad(f"'{name}' is '{text}'; expected one of: {', '.join(allowed)}.")
    return text


def instant_ms(request: Request, name: str) -> int | None:
    """Return a query parameter in ISO 8601 as epoch milliseconds; UTC when it has no offset."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        expected = "expected an ISO 8601 time such as 2026-01-01T13:00:00Z"
        raise bad(f"'{name}' is '{text}'; {expected}.") from None


def retention_ms(given: Json, name: str) -> dict[str, int]:
    """Return `{"success_retention"?, "error_retention"?}` as `{"success"?, "error"?}`, in ms."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad(f"'{name}' is {json.dumps(given)}; expected an object.")

    def wrong(key: str, error: InvalidDuration) -> NoReturn:
        raise bad(f"'{name}.{key}' is {error}") from None

    kept: dict[str, int] = {}
    for key, value in given.items():
        if key not in ("success_retention", "error_retention"):
            raise bad(f"'{name}.{key}' is unknown; expected success_retention, error_retention.")
        kept |= read_retention({key: value}, "_retention", wrong)
    return kept
