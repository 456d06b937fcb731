"""What a test gives to `fetch` -> method, address, headers and body, as httpx makes them."""

from __future__ import annotations

import json as json_module
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

BASE_URL = "http://localhost"
_MULTIPART = "multipart/form-data; boundary="
_UNSET: Any = object()


@dataclass(slots=True)
class Sending:
    """A request, ready to be sent. `body` None: it has none."""

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None

    def args(self, timeout_ms: int) -> dict[str, Any]:
        """Return it as the host takes it."""
        return {
            "method": self.method,
            "url": self.url,
            "headers": [list(pair) for pair in self.headers],
            "body": self.body,
            "timeout_ms": timeout_ms,
        }

    def redirected(self, status: int, location: str) -> Sending:
        """Return the request that follows a redirect."""
        url = urljoin(self.url, location)
        keeps = status in (307, 308) or self.method in ("GET", "HEAD")
        dropped = set() if keeps else {"content-type", "content-length"}
        if urlsplit(url).netloc != urlsplit(self.url).netloc:
            dropped |= {"authorization", "host"}
        headers = [pair for pair in self.headers if pair[0].lower() not in dropped]
        method, body = (self.method, self.body) if keeps else ("GET", None)
        return Sending(method, url, headers, body)


def sending(
    path: str,
    method: str,
    *,
    json: Any = _UNSET,
    data: Mapping[str, Any] | str | bytes | None = None,
    content: str | bytes | None = None,
    files: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    cookies: Mapping[str, str] | None = None,
) -> Sending:
    """Return the request. Raises TypeError for two kinds of body."""
    given = [
        name
        for name, is_given in (
            ("json", json is not _UNSET),
            ("content", content is not None),
            ("data or files", data is not None or files is not None),
        )
        if is_given
    ]
    if len(given) > 1:
        raise TypeError(f"a request has one body, and this one gets {' and '.join(given)}")
    url = urljoin(BASE_URL + "/", path)
    if params:
        pairs = urlencode(list(params.items() if isinstance(params, Mapping) else params), True)
        url += ("&" if urlsplit(url).query else "?") + pairs
    pairs_given = list(headers.items() if isinstance(headers, Mapping) else headers or ())
    sent = Sending(method.upper(), url, [(str(name), str(value)) for name, value in pairs_given])
    if json is not _UNSET:
        content, kind = json_module.dumps(json, ensure_ascii=False), "application/json"
    elif files is not None:
        content, kind = _multipart(data if isinstance(data, Mapping) else {}, files)
    elif isinstance(data, Mapping):
        content, kind = urlencode(list(data.items()), True), "application/x-www-form-urlencoded"
    else:
        content, kind = data if content is None else content, ""
    if content is not None:
        sent.body = content.encode() if isinstance(content, str) else bytes(content)
    names = {name.lower() for name, _ in sent.headers}
    if kind and "content-type" not in names:
        sent.headers.append(("content-type", kind))
    if sent.body is not None and "content-length" not in names:
        sent.headers.append(("content-length", str(len(sent.body))))
    if cookies:
        sent.headers.append(("cookie", "; ".join(f"{k}={v}" for k, v in cookies.items())))
    if "host" not in names:
        sent.headers.insert(0, ("host", urlsplit(url).netloc))
    return sent


def _multipart(fields: Mapping[str, Any], files: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return a form with files: name -> content, or (file name, content, content type)."""
    boundary = os.urandom(16).hex()
    parts: list[bytes] = []
    for name, value in fields.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            parts.append(_part(boundary, f'name="{name}"', "", str(each).encode()))
    for name, given in files.items():
        file_name, content, *rest = given if isinstance(given, tuple) else (name, given)
        data = content.read() if hasattr(content, "read") else content
        data = data.encode() if isinstance(data, str) else data
        kind = rest[0] if rest else "application/octet-stream"
        shown = f'name="{name}"; filename="{file_name}"'
        parts.append(_part(boundary, shown, f"content-type: {kind}\r\n", data))
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), _MULTIPART + boundary


def _part(boundary: str, disposition: str, more: str, data: bytes) -> bytes:
    head = f"--{boundary}\r\ncontent-disposition: form-data; {disposition}\r\n{more}\r\n"
    return head.encode() + data + b"\r\n"
