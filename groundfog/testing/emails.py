"""Emails that a test hands to its worker, and what the worker does with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EmailResult:
    """What an `email` handler did.

    outcome: "ok" or "exception". reject_reason: what `setReject()` was given, or None. error: what
    the handler raised, as text. forwards: `{"messageId", "recipient", "headers"}` of each; replies:
    `{"messageId", "sender", "raw"}` of each.
    """

    outcome: str
    reject_reason: str | None
    error: str
    forwards: list[dict[str, Any]]
    replies: list[dict[str, Any]]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> EmailResult:
        """Return the result that the host has told."""
        return cls(
            told["outcome"],
            told["reject_reason"],
            told["error"],
            list(told["forwards"]),
            list(told["replies"]),
        )


def email_bytes(
    sender: str,
    recipient: str,
    raw: str | bytes | None,
    subject: str,
    text: str,
    headers: Mapping[str, str],
) -> bytes:
    """Return a message as it comes over SMTP: the one that is given, or one that is made.

    Raises TypeError for both.
    """
    if raw is not None:
        if subject or text or headers:
            raise TypeError("an email is raw, or made of subject, text and headers; not both")
        return (
            raw
            if isinstance(raw, bytes)
            else raw.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        )
    from email.message import EmailMessage  # takes time to import
    from email.policy import SMTP

    message = EmailMessage(policy=SMTP)
    fields = {"From": sender, "To": recipient, "Subject": subject, **headers}
    if not any(name.lower() == "message-id" for name in fields):
        fields["Message-ID"] = "<groundfog-test@localhost>"
    for name, value in fields.items():
        message[name] = value
    message.set_content(text)
    return message.as_bytes()
