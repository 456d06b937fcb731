"""`env.EMAIL.send()`: checks an email against the rules of its binding, and keeps it.

Source: docs/platform/email.md, "Sending".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from bindings.email import headers
from bindings.email.addresses import address_of, new_id, refused
from bindings.email.composing import composed, recipients
from bindings.email.mailbox import Mailbox, decoded
from emulator.errors import WorkerError

RAW = "EmailMessage::raw"  # what makes an object an EmailMessage
RAW_MAX_BYTES = 25 * 1024 * 1024


class Rules(Struct, frozen=True):
    """From and to whom a binding sends; None: anybody."""

    destination: str | None = None
    destinations: tuple[str, ...] | None = None
    senders: tuple[str, ...] | None = None

    def check_sender(self, sender: str) -> None:
        """Raise WorkerError for a sender who is not allowed."""
        if self.senders is not None and sender not in self.senders:
            raise WorkerError(f"email from {sender} not allowed")

    def check_recipient(self, recipient: str) -> None:
        """Raise WorkerError for a recipient who is not allowed."""
        one_other = self.destination is not None and recipient != self.destination
        if one_other or (self.destinations is not None and recipient not in self.destinations):
            text = f"email to {recipient} not allowed"
            raise refused(text, "E_RECIPIENT_NOT_ALLOWED")


class SendEmail:
    """One `send_email` binding on `env`. announce: told of each email that was sent."""

    kind = "email"

    def __init__(self, mailbox: Mailbox, rules: Rules, announce: Callable[[str], None]) -> None:
        self.mailbox = mailbox
        self._rules = rules
        self._announce = announce
        self.removed = mailbox.removed

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `send(message)`: `{messageId}`. Raises WorkerError."""
        if method != "send":
            raise WorkerError(f'An email binding has no method "{method}"')
        given = args[0] if args else None
        if not isinstance(given, dict):
            raise WorkerError("send() needs an EmailMessage, or an object", name="TypeError")
        is_raw = RAW in given
        sender, to, message_id, raw = await (self._read(given) if is_raw else self._made(given))
        number = await self.mailbox.add("sent", sender, to, raw, message_id=message_id)
        subject = decoded(headers.read(raw).get("subject") or "(no subject)")
        self._announce(f'email {number} to {", ".join(to)}: "{subject}"')
        return {"messageId": message_id}

    async def close(self) -> None:
        """Close the mailbox, for all bindings."""
        await self.mailbox.close()

    async def _read(self, given: dict[str, Any]) -> tuple[str, list[str], str, bytes]:
        sender, to = str(given.get("from")), str(given.get("to"))
        self._rules.check_sender(sender)
        self._rules.check_recipient(to)
        raw = await whole(given[RAW])
        fields = headers.read(raw)
        check_raw(fields, sender)
        message_id = new_id(sender)
        return sender, [to], message_id, headers.replaced(raw, "Message-ID", message_id)

    async def _made(self, given: dict[str, Any]) -> tuple[str, list[str], str, bytes]:
        sender = address_of(given.get("from"), "from")
        self._rules.check_sender(sender)
        to = recipients(given)
        for each in to:
            self._rules.check_recipient(each)
        message_id = new_id(sender)
        raw = composed(given, message_id, self.mailbox.now_ms() / 1000)
        check_size(len(raw))
        return sender, to, message_id, raw


def check_raw(fields: headers.Headers, sender: str, *, needs_id: bool = True) -> None:
    """Raise WorkerError for a raw message that may not be sent from `sender`."""
    if fields.get("message-id") is None and (needs_id or fields.has("message-id")):
        raise refused("invalid message-id")
    if sender not in fields.addresses("from")[:1]:
        raise refused("From: header does not match mail from")
    if fields.has("received"):
        raise refused("invalid headers set")


def check_size(size_bytes: int) -> None:
    """Raise WorkerError for an email that is too large."""
    if size_bytes > RAW_MAX_BYTES:
        text = "Email message size is bigger than the production size limit of 25 MiB."
        raise refused(text, "E_CONTENT_TOO_LARGE")


async def whole(given: str | bytes | AsyncIterator[bytes]) -> bytes:
    """Return the raw message that an EmailMessage was made with. Raises WorkerError."""
    if isinstance(given, str):
        given = given.encode("utf-8", "replace")
    if isinstance(given, bytes):
        check_size(len(given))
        return given
    if not hasattr(given, "__aiter__"):
        raise WorkerError("the raw part of an EmailMessage must be text, bytes or a stream")
    found = bytearray()
    async for piece in given:
        found += piece
        check_size(len(found))
    return bytes(found)
