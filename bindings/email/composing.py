"""A raw message from the object `{from, to, subject, text, html, …}`.

Source: docs/platform/email.md, "Sending".
"""

from __future__ import annotations

import base64
import binascii
import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any

from bindings.email.addresses import MISSING, address_of, refused, several, shown

RECIPIENTS_MAX = 50
SUBJECT_MAX_CHARS = 998
HEADERS_MAX_BYTES = 16 * 1024
# What the platform writes itself; fields of these names in `headers` are not taken over.
_MANAGED = frozenset(
    "bcc cc content-transfer-encoding content-type date from message-id mime-version reply-to"
    " subject to".split()
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_TYPE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")


def recipients(given: dict[str, Any]) -> list[str]:
    """Return the addresses of `to`, `cc` and `bcc`. Raises WorkerError."""
    found = [
        address_of(each, name) for name in ("to", "cc", "bcc") for each in several(given.get(name))
    ]
    if not several(given.get("to")):
        raise refused("an email needs at least one address in to", MISSING)
    if len(found) > RECIPIENTS_MAX:
        text = f"too many recipients: {len(found)}, at most {RECIPIENTS_MAX}"
        raise refused(text, "E_TOO_MANY_RECIPIENTS")
    return found


def composed(
    given: dict[str, Any], message_id: str, at_s: float, extra: dict[str, str] | None = None
) -> bytes:
    """Return the message. extra: fields that come before those of `headers`. Raises WorkerError."""
    subject = given.get("subject")
    text, html = _text(given, "text"), _text(given, "html")
    if not isinstance(subject, str):
        raise refused("an email needs a subject", MISSING)
    if len(subject) > SUBJECT_MAX_CHARS:
        raise refused(f"the subject is longer than {SUBJECT_MAX_CHARS} characters")
    if text is None and html is None:
        raise refused("an email needs text or html", MISSING)
    message = EmailMessage(SMTP)
    fields = {"From": shown(given.get("from")), "To": _listed(given.get("to"))}
    fields |= {"Cc": _listed(given.get("cc")), "Reply-To": _listed(given.get("replyTo"))}
    fields |= {"Subject": subject, "Message-ID": message_id, "Date": formatdate(at_s, usegmt=True)}
    for name, value in {**fields, **(extra or {})}.items():
        if value or name == "Subject":
            _add(message, name, value)
    taken = _MANAGED | {name.lower() for name in extra or {}}
    _add_headers(message, given.get("headers"), taken)
    if text is not None:
        message.set_content(text)
    if html is not None:
        add = message.set_content if text is None else message.add_alternative
        add(html, subtype="html")
    for each in several(given.get("attachments")):
        _attach(message, each)
    return message.as_bytes()


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise refused(f"{name} of an email must be a string")
    return value


def _listed(given: Any) -> str:
    return ", ".join(shown(each) for each in several(given))


def _add(message: EmailMessage, name: str, value: str) -> None:
    if _CONTROL.search(value) or not _NAME.match(name):
        raise refused("invalid headers set")
    try:
        message[name] = value
    except (ValueError, IndexError) as error:  # the parser of header fields gives up
        raise refused("invalid headers set") from error


def _add_headers(message: EmailMessage, given: Any, taken: frozenset[str]) -> None:
    if given is None:
        return
    if not isinstance(given, dict):
        raise refused("invalid headers set")
    if sum(len(f"{name}{value}".encode()) for name, value in given.items()) > HEADERS_MAX_BYTES:
        text = f"the headers are larger than {HEADERS_MAX_BYTES} bytes"
        raise refused(text, "E_HEADERS_TOO_LARGE")
    for name, value in given.items():
        if name.lower() == "received":
            raise refused("invalid headers set")
        if name.lower() not in taken:
            _add(message, name, str(value))


def _attach(message: EmailMessage, given: Any) -> None:
    if not isinstance(given, dict):
        raise refused("invalid attachment")
    name, kind = given.get("filename"), given.get("type")
    disposition = given.get("disposition", "attachment")
    content_id = given.get("contentId")
    if not isinstance(name, str) or not isinstance(kind, str) or not _TYPE.match(kind):
        raise refused("invalid attachment")
    if disposition not in ("attachment", "inline") or (disposition == "inline" and not content_id):
        raise refused("invalid attachment")
    if _CONTROL.search(f"{name}{content_id or ''}"):
        raise refused("invalid headers set")
    main, _, sub = kind.partition("/")
    message.add_attachment(
        _content(given.get("content")),
        maintype=main,
        subtype=sub,
        filename=name,
        disposition=disposition,
        cid=f"<{str(content_id).strip('<>')}>" if disposition == "inline" else None,
    )


def _content(given: Any) -> bytes:
    """Return the bytes of an attachment: text is base64."""
    if isinstance(given, bytes):
        return given
    try:
        return base64.b64decode("".join(str(given).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused("invalid attachment content") from error
