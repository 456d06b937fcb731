"""Received emails: calls the `email` handler, and does what it says while it runs.

Nothing arrives by itself: somebody hands an email over. It is kept before the handler is called.
Source: docs/platform/email.md, "Receiving".
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from msgspec import Struct, field

from bindings.email import headers
from bindings.email.addresses import new_id
from bindings.email.headers import Headers
from bindings.email.replies import reply_to
from bindings.email.sending import SendEmail, check_size
from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.errors import WorkerError
from emulator.kinds.email import KIND, Sender
from emulator.triggers.trigger import Around

TIMEOUT_S = 15 * 60


class Handled(Struct):
    """What became of a received email.

    outcome: "ok" or "exception". reject_reason: what `setReject()` was given. unhandled: the worker
    has no `email` handler. error: what the handler raised, as text. forwards: `{messageId,
    recipient, headers}`, replies: `{messageId, sender, raw}`, events: `{type, timestamp, …}`, each
    in order.
    """

    outcome: str = "ok"
    reject_reason: str | None = None
    unhandled: bool = False
    error: str = ""
    forwards: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)


class _Received(Struct):
    """An email whose handler runs."""

    number: int
    sender: str
    recipient: str
    raw: bytes
    fields: Headers
    handled: Handled


class Emails:
    """The emails that the worker receives."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._open: dict[int, _Received] = {}
        self._calls: set[asyncio.Task[Any]] = set()

    def follow(self, config: Config) -> None:
        """See `Trigger`: nothing is configured."""

    def next_ms(self) -> int | None:
        """See `Trigger`."""
        return None

    def in_flight(self) -> set[Work]:
        """See `Trigger`."""
        return {(-number, f"email {number}", 1) for number in self._open}

    async def stop(self) -> None:
        """See `Trigger`."""
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def deliver(self, sender: str, recipient: str, raw: bytes) -> Handled:
        """Keep an email, call the handler with it, and return what it did.

        Raises WorkerError for what is no email; LoadError, GuestLost and TimeoutError when the
        handler could not end.
        """
        check_size(len(raw))
        for given in (sender, recipient):
            if not given.isprintable():
                raise WorkerError(f"{given!r} cannot be the address of an email")
        raw = headers.without(raw, "bcc")
        fields = headers.read(raw)
        message_id = fields.get("message-id")
        if message_id is None:
            raise WorkerError("Email could not be parsed: invalid or no message id provided")
        self._warn(sender, recipient, fields)
        box = self._mailbox()
        number = await box.add("received", sender, [recipient], raw, message_id=message_id)
        received = _Received(number, sender, recipient, raw, fields, Handled())
        self._event(received, "received")
        self._open[number] = received
        call = asyncio.get_running_loop().create_task(self._handle(received), name="email")
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            await call
        finally:
            del self._open[number]
        return received.handled

    async def act(self, method: str, args: list[Any]) -> Any:
        """Run `forward(number, recipient, headers)` or `reply(number, email)` for a handler.

        Raises WorkerError.
        """
        received = self._open.get(int(args[0]))
        if received is None:
            raise WorkerError("The email was handled already; its handler has returned.")
        if method == "forward":
            return await self._forward(received, args[1], args[2] or [])
        if method == "reply":
            return await self._reply(received, args[1])
        raise WorkerError(f'An email has no method "{method}"')

    async def _handle(self, received: _Received) -> None:
        handled, shown = received.handled, f"email {received.number} from {received.sender}"
        args = [received.number, received.sender, received.recipient]
        pairs = [list(pair) for pair in received.fields.fields]
        handled.outcome = "exception"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                told: dict[str, Any] = await self._around.call(
                    "email", [*args, pairs, received.raw]
                )
            handled.outcome = told["outcome"]
            handled.reject_reason = told.get("rejectReason")
            handled.unhandled = bool(told.get("unhandled"))
        finally:
            rejected = handled.reject_reason is not None
            outcome = "rejected" if rejected and handled.outcome == "ok" else handled.outcome
            reason = handled.reject_reason or ""
            await self._mailbox().settle(received.number, outcome, reason)
        if handled.unhandled:
            handled.events.clear()
            self._event(received, "unhandled")
            self._around.error(f"{shown}: the worker has no email handler; the email was kept")
        elif handled.outcome != "ok":
            handled.error = told["error"][2].rstrip()
            self._around.error(f"{shown} failed\n{handled.error}")
        elif rejected:
            self._event(received, "reject")
            self._around.error(f"{shown} was rejected: {handled.reject_reason}")
        else:
            self._around.notice(f"{shown} ok")

    async def _forward(
        self, received: _Received, recipient: Any, pairs: list[list[str]]
    ) -> dict[str, str]:
        if not isinstance(recipient, str) or "@" not in recipient:
            raise WorkerError(f"forward() needs the address of a recipient, not {recipient!r}")
        message_id = new_id(recipient)
        raw = received.raw
        for name, value in reversed(pairs):
            raw = headers.added(raw, name, value)
        await self._mailbox().add(
            *("forwarded", received.sender, [recipient], raw),
            message_id=message_id,
            about=received.number,
        )
        shown = {"messageId": message_id, "recipient": recipient, "headers": pairs}
        received.handled.forwards.append(shown)
        self._event(received, "forward", message_id)
        self._around.notice(f"email {received.number} was forwarded to {recipient}")
        return {"messageId": message_id}

    async def _reply(self, received: _Received, given: Any) -> dict[str, str]:
        box = self._mailbox()
        at_s = box.now_ms() / 1000
        message_id, sender, raw = await reply_to(received.fields, received.sender, given, at_s)
        to = [received.sender]
        await box.add("reply", sender, to, raw, message_id=message_id, about=received.number)
        text = raw.decode("utf-8", "replace")
        shown = {"messageId": message_id, "sender": sender, "raw": text}
        received.handled.replies.append(shown)
        self._event(received, "reply", message_id)
        self._around.notice(f"email {received.number} was answered")
        return {"messageId": message_id}

    def _event(self, received: _Received, kind: str, message_id: str = "") -> None:
        at = datetime.fromtimestamp(self._around.clock.now_ms() / 1000, UTC)
        event = {"type": kind, "timestamp": at.isoformat(timespec="milliseconds")[:-6] + "Z"}
        received.handled.events.append(event | ({"messageId": message_id} if message_id else {}))

    def _warn(self, sender: str, recipient: str, fields: Headers) -> None:
        """Say where the envelope and the message differ, as mail on the internet may."""
        if sender not in fields.addresses("from"):
            self._around.notice(f"email from {sender}: its From header names somebody else")
        if recipient not in fields.addresses("to"):
            self._around.notice(f"email to {recipient}: its To header names somebody else")

    def _mailbox(self) -> Any:
        return cast("SendEmail", self._around.opened(KIND, Sender())).mailbox


def trigger(around: Around) -> Emails:
    """Return what calls the `email` handler of a worker."""
    return Emails(around)
