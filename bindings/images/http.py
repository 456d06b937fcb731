"""The HTTP protocol of workerd's images client: a form in, a picture or JSON out.

It opens no socket: its caller serves it. Source: docs/platform/images.md, "The protocol".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bindings.http import HttpAnswer, json_answer
from bindings.images.images import Images
from bindings.images.orders import ImagesError, internal, read_order
from bindings.multipart import NotAForm, Part, read_form

_SOURCES = ("image", "draw_image", "text_input", "draw_text")


async def answer(
    images: Images, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer `POST /info` or `POST /transform`."""
    path = urlsplit(target).path
    try:
        parts = read_form(body, headers.get("content-type", ""))
        sources = [_source(part) for part in parts if part.name in _SOURCES]
        if not sources:
            internal("expected image in request, got null", 400)
        if path == "/info":
            return _info(await images.info(bytes(sources[0] or b"")))
        fields = {part.name: part.text for part in parts if part.name not in _SOURCES}
        content_type, content = await images.transform(_order(sources, fields))
        return HttpAnswer(200, {"content-type": content_type}, content)
    except ImagesError as error:
        found = {"content-type": "text/plain", "cf-images-binding": f"err={error.code}"}
        return HttpAnswer(error.status, found, error.text.encode())
    except NotAForm as error:
        return HttpAnswer(400, {"content-type": "text/plain"}, str(error).encode())


def _source(part: Part) -> bytes | None:
    """Return the content of a picture; None for text."""
    return bytes(part.content) if part.name.endswith("image") else None


def _info(found: dict[str, Any]) -> HttpAnswer:
    """The client knows the size as `file_size`."""
    size = found.pop("fileSize", None)
    return json_answer(200, found if size is None else {**found, "file_size": size})


def _order(sources: list[bytes | None], fields: dict[str, str]) -> Any:
    try:
        transforms = json.loads(fields.get("transforms", ""))
        quality = float(fields["output_quality"]) if "output_quality" in fields else None
    except ValueError:
        internal("Expected JSON array of valid transforms in transforms field", 400)
    options = {"format": fields.get("output_format"), "quality": quality}
    return read_order(sources, transforms, {**options, "background": fields.get("background")})
