"""One list or dict in several places of a value: deployed, it arrives as several.

Source: workers-py packages/runtime-sdk/src/workers/rpc.py (_replace_none_with_jsnull), which makes
each list and dict anew wherever it stands; sets stay one.
"""

from __future__ import annotations

from typing import Any

from .jsproxy import plain
from .pyodide.ffi import JsException

MARK = b'{"$ref":'  # what the encoding writes where something stands for the second time
COPIES_MAX = 1_000_000  # a few doublings in one another would otherwise take all memory there is


def apart(value: Any) -> Any:
    """Return `value` with a list or dict of its own at every place.

    Raises RecursionError for one that contains itself, JsException for far too many copies.
    """
    copier = _Copier()
    try:
        return copier.copy(value)
    except RecursionError:
        raise RecursionError(
            "maximum recursion depth exceeded: a list or dict contains itself, or too many others "
            "in one another"
        ) from None


class _Copier:
    def __init__(self) -> None:
        self._copies = 0

    def copy(self, value: Any) -> Any:
        value = plain(value)
        if isinstance(value, dict):
            self._count()
            return {key: self.copy(item) for key, item in value.items()}
        if isinstance(value, list):
            self._count()
            return [self.copy(item) for item in value]
        return value

    def _count(self) -> None:
        self._copies += 1
        if self._copies > COPIES_MAX:
            raise JsException(
                f"the value has more than {COPIES_MAX:,} lists and dicts: some stand in many "
                "places, and each place gets one of its own",
                "RangeError",
            )
