"""Emails: what an `email` handler gets, and what user code makes to send or to answer.

Source: docs/platform/email.md, "Receiving".
"""

from __future__ import annotations

from typing import Any

from ...protocol.loading import EMAILS
from . import buffers, host_calls
from .batches import Told
from .calls import Answer
from .sdk.javascript.headers import Headers
from .sdk.jserror import JsException
from .sdk.jsobject import JsObject
from .sdk.jsproxy import plain
from .streams import ReadableStream

RAW = "EmailMessage::raw"  # what makes an object an EmailMessage for the host


class EmailMessage(JsObject):
    """`from`, `to`, and the raw message: text, bytes or a stream."""

    def __init__(self, sender: str, to: str, raw: Any) -> None:
        if raw is None:
            text = "EmailMessage needs three arguments: from, to, and the raw message."
            raise JsException(text, "TypeError")
        setattr(self, "from", sender)
        self.to = to
        self._raw = raw


class CloudflareEmail(JsObject):
    """The module `cloudflare:email`."""

    EmailMessage = EmailMessage


class ForwardableEmailMessage(JsObject):
    """A received email: `from`, `to`, `headers`, `raw`, `rawSize`, `forward`, `reply`, `setReject`.

    number: what the host calls it; raw: the whole message.
    """

    def __init__(
        self, told: Told, number: int, sender: str, to: str, headers: list[Any], raw: Any
    ) -> None:
        content = bytes(raw)
        setattr(self, "from", sender)
        self.to = to
        self.headers = Headers.of([(name, value) for name, value in headers])
        self.raw = ReadableStream([content])
        self.rawSize = len(content)
        self.canBeForwarded = True
        self._told = told
        self._number = number

    def setReject(self, reason: Any) -> None:  # JavaScript's name
        """Refuse the email, with a reason for its sender."""
        self._told["rejectReason"] = str(reason)

    def forward(self, recipient: str, headers: Any = None) -> Answer:
        """Send it on to a recipient, with more headers; return `{messageId}`."""
        pairs = [] if headers is None else [list(pair) for pair in Headers(headers)._list]
        return host_calls.ask(EMAILS, "forward", [self._number, recipient, pairs])

    def reply(self, message: Any) -> Answer:
        """Answer it with an EmailMessage, or with what `send()` takes; return `{messageId}`."""
        return host_calls.ask(EMAILS, "reply", [self._number, sent(message)], takes_stream=True)


def sent(message: Any) -> Any:
    """Return a message as the host gets it."""
    if isinstance(message, EmailMessage):
        raw = message._raw
        raw = raw if isinstance(raw, str | ReadableStream) else _bytes(raw)
        return {"from": getattr(message, "from"), "to": message.to, RAW: raw}
    found = plain(message)
    if not isinstance(found, dict):
        return found
    attachments = plain(found.get("attachments"))
    if not isinstance(attachments, list | tuple):
        return found
    return {**found, "attachments": [_attachment(plain(each)) for each in attachments]}


def _attachment(given: Any) -> Any:
    if not isinstance(given, dict) or isinstance(given.get("content"), str):
        return given
    return {**given, "content": _bytes(given.get("content"))}


def _bytes(given: Any) -> bytes:
    view = buffers.view_of(given)
    if view is None:
        text = "The content of an email must be text or bytes."
        raise JsException(text, "TypeError")
    return bytes(view)


for _class in (EmailMessage, ForwardableEmailMessage):
    _class.__module__ = "workers"
