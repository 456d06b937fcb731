"""The text fields of a multipart form, which flux-2 takes its prompt from. Pure."""

from __future__ import annotations

import re

from bindings.ai.errors import bad_input

_BOUNDARY = re.compile(r"boundary=\"?([^\";]+)\"?", re.IGNORECASE)
_NAME = re.compile(rb"name=\"([^\"]*)\"", re.IGNORECASE)


def text_fields(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields that are no files. Raises WorkerError for what is no form."""
    found = _BOUNDARY.search(content_type)
    if found is None or not content_type.lower().startswith("multipart/form-data"):
        raise bad_input(f"multipart contentType is {content_type}, multipart/form-data expected")
    fields: dict[str, str] = {}
    for part in body.split(b"--" + found[1].encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None and b"filename=" not in head.lower():
            text = value.removesuffix(b"\r\n")
            fields[name[1].decode(errors="replace")] = text.decode(errors="replace")
    return fields
