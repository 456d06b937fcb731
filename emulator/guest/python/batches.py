"""A batch of messages, as a `queue` handler gets it, and what it says of them.

Source: docs/platform/queues.md, "Consumers".
"""

from __future__ import annotations

import json
import sys
from typing import Any

from . import conversion
from .sdk.jsdict import JsDict
from .sdk.jsobject import JsObject

Told = dict[str, Any]  # what the host is told of a handler's call


class MessageBatch(JsObject):
    """`batch`: `queue`, `messages`, `ackAll()`, `retryAll()`."""

    def __init__(self, queue: str, messages: list[Any]) -> None:
        self.queue = queue
        self._told: Told = {
            "outcome": "ok",
            "ackAll": False,
            "retryAll": None,
            "acks": [],
            "retries": {},
        }
        self.messages = [Message(each, self._told) for each in messages]

    def ackAll(self) -> None:  # JavaScript's name
        """Say that every message is done."""
        if self._told["retryAll"] is not None:
            _warn("Received a call to ackAll() after retryAll() was already called.", "ackAll")
            return
        self._told["ackAll"] = True

    def retryAll(self, options: Any = None, **keywords: Any) -> None:  # JavaScript's name
        """Say that every message shall be delivered again, after `delaySeconds`."""
        if self._told["ackAll"]:
            _warn("Received a call to retryAll() after ackAll() was already called.", "retryAll")
            return
        self._told["retryAll"] = _delay(options, keywords)


class Message(JsObject):
    """`id`, `timestamp`, `body`, `attempts`, `ack()`, `retry()`."""

    def __init__(self, shown: Any, told: Told) -> None:
        self.id = shown["id"]
        self.timestamp = shown["timestamp"]
        self.attempts = shown["attempts"]
        self.body = _body(shown["contentType"], shown["body"])
        self._told = told

    def ack(self) -> None:
        """Say that this message is done."""
        if self._told["ackAll"]:
            return
        if self.id in self._told["retries"]:
            text = f"Received a call to ack() on message {self.id} after retry() was called."
            _warn(text, "ack")
            return
        if self.id not in self._told["acks"]:
            self._told["acks"].append(self.id)

    def retry(self, options: Any = None, **keywords: Any) -> None:
        """Say that this message shall be delivered again, after `delaySeconds`."""
        if self._told["ackAll"]:
            text = f"Received a call to retry() on message {self.id} after ackAll() was called."
            _warn(text, "retry")
            return
        if self.id in self._told["acks"]:
            text = f"Received a call to retry() on message {self.id} after ack() was called."
            _warn(text, "retry")
            return
        self._told["retries"][self.id] = _delay(options, keywords)


def _delay(options: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    given = options if isinstance(options, dict) else keywords
    delay = given.get("delaySeconds")
    return {} if delay is None else {"delaySeconds": delay}


def _body(content_type: str, body: Any) -> Any:
    if content_type == "json":
        return json.loads(body, object_pairs_hook=_pairs)
    if content_type == "tagged":
        return conversion.decode(bytes(body))
    return body


def _pairs(pairs: list[tuple[str, Any]]) -> JsDict:
    return JsDict(pairs)


def _warn(text: str, method: str) -> None:
    print(f"{text} Calling {method}() will have no effect.", file=sys.stderr, flush=True)


for _class in (MessageBatch, Message):
    _class.__module__ = "workers"
