"""Addresses of people, as text and as `{email, name}`, and ids of messages.

Source: docs/platform/email.md, "Messages".
"""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

from emulator.errors import WorkerError

INVALID, MISSING = "E_VALIDATION_ERROR", "E_FIELD_MISSING"
_ID_CHARS = string.ascii_letters + string.digits
_ID_LENGTH = 36
_LITERAL = re.compile(r"@(\[[!-Z^-~]+\])\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z", re.IGNORECASE)
_IN_ANGLES = re.compile(r"<([^<>]*)>\s*\Z")
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\Z")


def refused(text: str, label: str = INVALID) -> WorkerError:
    """Return the error of an email that is not sent, with production's `code`."""
    return WorkerError(text, label=label)


def address_of(given: Any, field: str) -> str:
    """Return the address in `"a@b"`, `"Name <a@b>"` or `{email, name}`. Raises WorkerError."""
    text = given.get("email") if isinstance(given, dict) else given
    if not isinstance(text, str):
        text = f"invalid {field} address: expected text or an object with email"
        raise refused(text, MISSING if given is None else INVALID)
    found = _IN_ANGLES.search(text)
    address = (found[1] if found else text).strip()
    if not _ADDRESS.match(address):
        raise refused(f"invalid {field} address: {text!r}")
    return address


def shown(given: Any) -> str:
    """Return an address as it stands in a header."""
    if not isinstance(given, dict):
        return str(given)
    name = str(given.get("name") or "")
    if not name:
        return str(given["email"])
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{given["email"]}>'


def several(given: Any) -> list[Any]:
    """Return one address, a list of them or None as a list."""
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def new_id(sender: str) -> str:
    """Return the id of a new message, `<…@domain>`, with the domain of the sender."""
    chosen = "".join(secrets.choice(_ID_CHARS) for _ in range(_ID_LENGTH))
    return f"<{chosen}@{_domain(sender)}>"


def _domain(sender: str) -> str:
    if literal := _LITERAL.search(sender):
        return literal[1]
    domain = sender.rpartition("@")[2]
    labels = domain.removesuffix(".").split(".")
    is_name = "@" in sender and len(domain) <= 254 and all(map(_LABEL.match, labels))
    return domain.lower() if is_name else "localhost"
