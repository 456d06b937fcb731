"""Paths of URLs: as a URL has them, decoded for the lookup of a file, and encoded again.

Source: https://url.spec.whatwg.org/#concept-basic-url-parser (path state).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

_UNSAFE = re.compile(r"[^!$%&'()*+,\-./:;=@\[\]^_|~A-Za-z0-9]")
_KEPT = "-_.!~*'()"  # what encodeURIComponent leaves as it is
_HERE = (".", "%2e")
_UP = ("..", ".%2e", "%2e.", "%2e%2e")


def normalized(path: str) -> str:
    """Return a path as `new URL(…).pathname` has it: `"/a/../b c"` -> `"/b%20c"`."""
    parts: list[str] = []
    segments = path.replace("\\", "/").split("/")[1:]
    for place, segment in enumerate(segments):
        is_last = place == len(segments) - 1
        if segment.lower() in _UP:
            if parts:
                parts.pop()
            if is_last:
                parts.append("")
        elif segment.lower() in _HERE:
            if is_last:
                parts.append("")
        else:
            parts.append(segment)
    return _UNSAFE.sub(lambda found: quote(found[0]), "/" + "/".join(parts))


def decoded(path: str) -> str:
    """Return a path with each segment decoded, and without empty segments inside.

    A segment that is not UTF-8 stays as it is.
    """
    return re.sub("/+", "/", "/".join(map(_decoded, path.split("/"))))


def encoded(path: str) -> str:
    """Return a decoded path with each segment encoded as encodeURIComponent does."""
    return "/".join(quote(segment, safe=_KEPT) for segment in path.split("/"))


def without_base(path: str, base: str) -> str | None:
    """Return a decoded path below `base`, or None when it is not there."""
    if base == "/":
        return path
    if path == base[:-1]:
        return "/"
    return path[len(base) - 1 :] if path.startswith(base) else None


def with_base(path: str, base: str) -> str:
    """Return what `without_base` took apart."""
    return path if base == "/" else base if path == "/" else base[:-1] + path


def base_problem(value: str) -> str:
    """Return what is wrong with a `base_path`; "" if nothing is."""
    if not value:
        return "The value must not be empty."
    if value.startswith("//") or re.match(r"[a-zA-Z][a-zA-Z\d+.-]*:", value):
        return "The value must be a pathname, not a URL."
    if "\\" in value:
        return "The value must not contain backslashes."
    if re.search(r"[\x00-\x1f\x7f]", value):
        return "The value must not contain control characters."
    if "?" in value or "#" in value:
        return "The value must not contain query strings or fragments."
    if "%" in value:
        return "The value must not contain percent-encoded sequences."
    return ""


def to_base(value: str) -> str:
    """Return a `base_path` in its full form: `"app"` -> `"/app/"`."""
    parts: list[str] = []
    for segment in value.split("/"):
        if segment == "..":
            del parts[-1:]
        elif segment not in ("", "."):
            parts.append(segment)
    return f"/{'/'.join(parts)}/" if parts else "/"


def _decoded(segment: str) -> str:
    if "%" not in segment:
        return segment
    if re.search(r"%(?![0-9A-Fa-f]{2})", segment):
        return segment
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return segment
