"""The header fields of a raw message (RFC 5322): reading, removing and replacing them.

The body of a message is never looked at here. Source: docs/platform/email.md, "Messages".
"""

from __future__ import annotations

import re
from email.utils import getaddresses

from msgspec import Struct

ADDRESSES_MAX_CHARS = 10_000  # of one field; more is not read
_FIELD_STARTS = re.compile(rb"(?<=\n)(?![ \t])")
_FOLDED = re.compile(r"\r?\n[ \t]+")


class Headers(Struct, frozen=True):
    """The fields of a message in order: names in lower case, values as they are, unfolded."""

    fields: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """Return the value of the first field with a name that is not empty; None without one."""
        return next((value for key, value in self.fields if key == name and value), None)

    def has(self, name: str) -> bool:
        """Whether a field with a name is there."""
        return any(key == name for key, _ in self.fields)

    def addresses(self, name: str) -> list[str]:
        """Return the addresses in the fields with a name, without the names of people."""
        values = [value[:ADDRESSES_MAX_CHARS] for key, value in self.fields if key == name]
        try:
            return [address for _, address in getaddresses(values) if address]
        except (RecursionError, ValueError, IndexError):  # comments in comments, without an end
            return []


def read(raw: bytes) -> Headers:
    """Return the fields of a message. A line that is no field is left out."""
    found = []
    for field in _split(raw)[0]:
        name, colon, value = field.partition(b":")
        key = name.strip().decode("latin-1").lower()
        if colon and key and not key.isspace():
            found.append((key, _FOLDED.sub(" ", _text(value)).strip()))
    return Headers(found)


def without(raw: bytes, name: str) -> bytes:
    """Return a message without the fields of a name."""
    fields, rest = _split(raw)
    return b"".join([*(each for each in fields if not _is(each, name)), rest])


def replaced(raw: bytes, name: str, value: str) -> bytes:
    """Return a message in which one field has this name, in the place of the first of that name."""
    fields, rest = _split(raw)
    line_end = b"\r\n" if b"\r\n" in raw[:1000] or b"\n" not in raw[:1000] else b"\n"
    if fields and not fields[-1].endswith(b"\n"):
        last = fields.pop().rstrip(b"\r")  # a lone one would make an empty line
        fields += [last + line_end] if last else []
    made = f"{name}: {value}".encode() + line_end
    place = next((n for n, each in enumerate(fields) if _is(each, name)), len(fields))
    kept = [each for each in fields if not _is(each, name)]
    return b"".join([*kept[:place], made, *kept[place:], rest or line_end])


def added(raw: bytes, name: str, value: str) -> bytes:
    """Return a message with one more field, in front of all others."""
    line_end = b"\r\n" if b"\r\n" in raw[:1000] or b"\n" not in raw[:1000] else b"\n"
    return f"{name}: {value}".encode() + line_end + raw


def _split(raw: bytes) -> tuple[list[bytes], bytes]:
    """Return the fields, each with its end of line, and the rest, from the empty line on."""
    at = re.search(rb"^\r?\n", raw, re.MULTILINE)
    end = len(raw) if at is None else at.start()
    head = raw[:end]
    return [field for field in _FIELD_STARTS.split(head) if field], raw[end:]


def _is(field: bytes, name: str) -> bool:
    key = field.partition(b":")[0].strip().decode("latin-1")
    return key.lower() == name.lower()


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
