"""The producer of a queue. Source: docs/platform/queues.md, "The producer"."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .. import buffers, conversion
from ..calls import Answer
from ..sdk.jsdict import JsDict
from ..sdk.pyodide.ffi import JsException
from .binding import _BindingWrapper

CONTENT_TYPES = ("text", "bytes", "json", "v8")


class WorkerQueue(_BindingWrapper):
    """A queue to send to."""

    def send(self, body: Any = None, /, *options: Any, **keywords: Any) -> Answer:
        """Send a message. Options: `contentType` and `delaySeconds`."""
        given = _as_dict(self._options("send", options, keywords))
        message = _message(body, given.get("contentType"))
        return self._call("send", message, given.get("delaySeconds"))

    def sendBatch(self, messages: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Send up to 100 messages `{body, contentType?, delaySeconds?}`. Option: `delaySeconds`."""
        given = _as_dict(self._options("sendBatch", options, keywords))
        sent = []
        for each in list(messages):
            fields = _as_dict([each])
            message = _message(fields.get("body"), fields.get("contentType"))
            sent.append({**message, "delaySeconds": fields.get("delaySeconds")})
        if not sent:
            raise JsException("sendBatch() requires at least one message", "TypeError")
        return self._call("sendBatch", sent, given.get("delaySeconds"))

    def metrics(self) -> Answer:
        """Return `{backlogCount, backlogBytes, oldestMessageTimestamp}`."""
        return self._call("metrics")


def _message(body: Any, content_type: Any) -> dict[str, Any]:
    """Return what is sent of a message. Raises JsException, TypeError."""
    kind = "json" if content_type is None else content_type
    if kind not in CONTENT_TYPES:
        raise JsException(f"Unsupported queue message content type: {kind}", "TypeError")
    return {"contentType": "tagged" if kind == "v8" else kind, "body": _BODIES[kind](body)}


def _text(body: Any) -> bytes:
    if not isinstance(body, str):
        raise _wrong("text", "string", body)
    return body.encode("utf-8", "replace")


def _bytes(body: Any) -> bytes:
    view = None if isinstance(body, str) else buffers.view_of(body)
    if view is None:
        raise _wrong("bytes", "ArrayBufferView", body)
    return view.tobytes()


def _json(body: Any) -> bytes:
    plain = conversion.copy(body)  # refuses what cannot be sent, and shows it as JavaScript has it
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), default=_odd).encode(
        "utf-8", "replace"
    )


def _odd(value: Any) -> Any:
    """Return what JSON.stringify makes of a value that JSON does not have."""
    if hasattr(value, "isoformat"):
        return value.astimezone().isoformat()
    if isinstance(value, memoryview):
        return {str(place): item for place, item in enumerate(value)}
    return {}


_BODIES: dict[str, Callable[[Any], bytes]] = {
    "text": _text,
    "bytes": _bytes,
    "json": _json,
    "v8": conversion.encode,
}


def _wrong(kind: str, expected: str, body: Any) -> JsException:
    given = {str: "string", bool: "boolean", int: "number", float: "number"}
    found = given.get(type(body), "object")
    text = f'Content Type "{kind}" requires a value of type {expected}, but received: {found}'
    return JsException(text, "TypeError")


def _as_dict(options: list[Any]) -> dict[str, Any]:
    found = options[0] if options else None
    return found if isinstance(found, dict) else JsDict()


CLIENT = WorkerQueue
