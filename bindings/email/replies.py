"""Answers to a received email: when one is allowed, and what it must have.

Source: docs/platform/email.md, "Receiving".
"""

from __future__ import annotations

from typing import Any

from bindings.email import headers
from bindings.email.addresses import address_of, new_id, shown
from bindings.email.composing import composed
from bindings.email.headers import Headers
from bindings.email.sending import RAW, check_raw, check_size, whole
from emulator.errors import WorkerError

REFERENCES_MAX = 100


async def reply_to(
    received: Headers, sender: str, given: Any, at_s: float
) -> tuple[str, str, bytes]:
    """Return the id, the sender and the content of an answer. Raises WorkerError.

    received: the fields of the email that is answered; sender: who has sent it. given: what
    `message.reply()` got, an EmailMessage or an object as for `send()`.
    """
    if not is_replyable(received):
        raise WorkerError("Original email is not replyable")
    if not isinstance(given, dict):
        raise WorkerError("reply() needs an EmailMessage, or an object", name="TypeError")
    return await (_raw(received, given) if RAW in given else _made(received, sender, given, at_s))


def is_replyable(received: Headers) -> bool:
    """Whether an email may be answered: no answering machine has sent it."""
    suppressed = received.get("x-auto-response-suppress")
    if suppressed is not None and suppressed.lower() != "none":
        return False
    submitted = received.get("auto-submitted")
    if submitted is not None and submitted.lower() != "no":
        return False
    replied, references = received.get("in-reply-to"), received.get("references")
    if replied is None or references is None:
        return replied is references
    return references.count("@") < REFERENCES_MAX


async def _raw(received: Headers, given: dict[str, Any]) -> tuple[str, str, bytes]:
    sender = str(given.get("from"))
    raw = await whole(given[RAW])
    fields = headers.read(raw)
    check_raw(fields, sender, needs_id=False)
    message_id, before = received.get("message-id") or "", received.get("references") or ""
    if fields.get("in-reply-to") is None:
        raise WorkerError("no In-Reply-To header found in reply message")
    if fields.get("in-reply-to") != message_id:
        raise WorkerError("In-Reply-To does not match original Message-ID")
    references = fields.get("references")
    if references is None:
        raw = headers.added(raw, "References", f"{before} {message_id}".strip())
    elif message_id not in references or before not in references:
        raise WorkerError("provided References header is invalid")
    own_id = new_id(sender)
    return own_id, sender, headers.replaced(raw, "Message-ID", own_id)


async def _made(
    received: Headers, sender: str, given: dict[str, Any], at_s: float
) -> tuple[str, str, bytes]:
    own = address_of(given.get("from"), "from")
    message_id, before = received.get("message-id") or "", received.get("references") or ""
    own_id = new_id(own)
    extra = {"In-Reply-To": message_id, "References": f"{before} {message_id}".strip()}
    raw = composed({**given, "to": sender, "cc": None}, own_id, at_s, extra)
    check_size(len(raw))
    return own_id, shown(given["from"]), raw
