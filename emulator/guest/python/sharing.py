"""One list or dict in several places of a value: deployed, it arrives as several.

Each list and dict is copied wherever it occurs; sets stay shared.
Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/rpc.py
(_replace_none_with_jsnull).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...protocol import values
from ...protocol.values import TooDeep, TooManyCopies
from .sdk.pyodide.ffi import JsException

MARK = b'{"$ref":'  # what the encoding writes when a list or dict occurs again
COPIES_MAX = 1_000_000  # else a few nested doublings would need all memory


def encode_apart(value: Any, convert: Callable[[Any], Any]) -> bytes:
    """Return `value` as tagged JSON with a separate list or dict at every place.

    Raises RecursionError for one that contains itself, JsException for far too many copies.
    """
    try:
        return values.encode(value, convert, copies_max=COPIES_MAX)
    except TooDeep:
        raise RecursionError(
            "maximum recursion depth exceeded: a list or dict contains itself, or too many others "
            "in one another"
        ) from None
    except TooManyCopies:
        raise JsException(
            f"the value has more than {COPIES_MAX:,} lists and dicts: some stand in many places, "
            "and each place gets one of its own",
            "RangeError",
        ) from None
