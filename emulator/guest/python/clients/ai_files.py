"""Files on their way to `env.AI` and from it: uploads, documents, whole responses."""

from __future__ import annotations

from typing import Any

from ..sdk.pyodide.ffi import JsException
from ..sdk.workers.blob import Blob, content_of
from ..sdk.workers.formdata import FormData, as_multipart
from ..sdk.workers.response import Response
from ..streams import ReadableStream, is_streamable


def upload_keys(inputs: Any) -> list[str]:
    """Return the names of the inputs that are `{body, contentType}` with something to read."""
    return [
        key
        for key, value in inputs.items()
        if isinstance(value, dict) and _is_readable(value.get("body"))
    ]


def _is_readable(body: Any) -> bool:
    return isinstance(body, FormData | Blob) or is_streamable(body)


def check_uploads(inputs: Any, keys: list[str], options: dict[str, Any]) -> None:
    """Raise JsException for what workerd's client refuses."""
    if len(keys) > 1:
        found = ", ".join(keys)
        text = f"Multiple ReadableStreams are not supported. Found streams in keys: [{found}]"
        raise JsException(text, "AiInternalError")
    upload = inputs[keys[0]]
    if not upload.get("contentType") and not isinstance(upload["body"], FormData):
        text = "Content-Type is required with ReadableStream inputs"
        raise JsException(text, "AiInternalError")
    gateway = options.get("gateway")
    if isinstance(gateway, dict) and gateway.get("id"):
        raise JsException("AI Gateway does not support ReadableStreams yet.", "AiInternalError")


async def read_uploads(inputs: Any, keys: list[str]) -> dict[str, Any]:
    """Return the inputs with the bodies of `keys` read to their ends."""
    read = dict(inputs)
    for key in keys:
        body = inputs[key]["body"]
        if isinstance(body, FormData):  # its type tells the boundary, which is chosen now
            data, kind = as_multipart(body)
            read[key] = {"body": data, "contentType": kind}
        else:
            read[key] = {**inputs[key], "body": await _content(body)}
    return read


async def _content(body: Any) -> bytes:
    if isinstance(body, Blob):
        return content_of(body)
    stream = body if isinstance(body, ReadableStream) else ReadableStream(body)
    return await stream.to_bytes()


async def read_file(file: Any) -> Any:
    """Return `{name, mimeType, data}` of a file for toMarkdown. Raises TypeError."""
    if not isinstance(file, dict):
        raise TypeError(f'toMarkdown() expects {{"name", "blob"}}, not {file!r}')
    blob = file.get("blob")
    kind = blob.content_type if isinstance(blob, Blob) else file.get("mimeType", "")
    content = await _content(blob) if _is_readable(blob) else blob
    if isinstance(content, str):
        content = content.encode()
    return {"name": file.get("name"), "mimeType": kind or "", "data": content}


def to_response(value: Any, ids: dict[str, str]) -> Response:
    """Return what the service answered, as it is: `{status, headers, body}`, or a stream."""
    if isinstance(value, ReadableStream):
        return Response(value, 200, headers={"content-type": "text/event-stream", **ids})
    body = bytes(value["body"])
    return Response(body, int(value["status"]), headers={**value["headers"], **ids})
