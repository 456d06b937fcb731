"""`URL` and `URLSearchParams`. Source: https://url.spec.whatwg.org/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urljoin, urlsplit

from ..jserror import JsException
from ..jsnull import jsnull
from ..jsobject import JsObject
from ..jsproxy import DataProxy, JsArrayProxy, JsProxy, call_with
from ..jstext import js_text

_DEFAULT_PORTS = {"http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21"}
_PATH = "!$&'()*+,;=:@/%[]|-._~\\"
_QUERY = "!$&()*+,;=:@/?%[]{}|`-._~\\^"
_FRAGMENT = "!$&'()*+,;=:@/?%[]{}|-._~\\^#"
_USER = "!$&'()*+,%-._~"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


class URLSearchParams(JsObject):
    """Names and values of a query, in order; names may repeat."""

    def __init__(self, init: Any = None, of: URL | None = None) -> None:
        self._of = of
        self._pairs = _pairs(init)

    def get(self, name: str) -> Any:
        """Return the first value; null if there is none."""
        return next((value for key, value in self._pairs if key == name), jsnull)

    def getAll(self, name: str) -> JsProxy:  # JavaScript's name
        """Return all values."""
        return JsArrayProxy([value for key, value in self._pairs if key == name], "getAll(…)")

    def has(self, name: str, value: Any = None) -> bool:
        """Whether a name is there, with this value if one is given."""
        return any(key == name and value in (None, found) for key, found in self._pairs)

    def append(self, name: str, value: Any) -> None:
        """Add a value behind the others."""
        self._change([*self._pairs, (js_text(name), js_text(value))])

    def set(self, name: str, value: Any) -> None:
        """Put a value in place of all others of the name."""
        kept, name, placed = [], js_text(name), False
        for key, old in self._pairs:
            if key != name:
                kept.append((key, old))
            elif not placed:
                kept.append((key, js_text(value)))
                placed = True
        self._change(kept if placed else [*kept, (name, js_text(value))])

    def delete(self, name: str, value: Any = None) -> None:
        """Remove all values of a name, or one of them."""
        gone = [pair for pair in self._pairs if pair[0] == name and value in (None, pair[1])]
        self._change([pair for pair in self._pairs if pair not in gone])

    def sort(self) -> None:
        """Sort by name."""
        self._change(sorted(self._pairs, key=lambda pair: pair[0]))

    @property
    def size(self) -> int:
        """How many pairs there are."""
        return len(self._pairs)

    def keys(self) -> Iterator[str]:
        """Return the names."""
        return iter([key for key, _ in self._pairs])

    def values(self) -> Iterator[str]:
        """Return the values."""
        return iter([value for _, value in self._pairs])

    def entries(self) -> Iterator[Any]:
        """Return pairs."""
        return iter([JsArrayProxy(list(pair), "a pair") for pair in self._pairs])

    def forEach(self, function: Any) -> None:  # JavaScript's name
        """Call `function(value, name, this)` for each."""
        for key, value in self._pairs:
            call_with(function, value, key, self)

    __iter__ = entries

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: str) -> bool:
        return self.has(name)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def toString(self) -> str:  # JavaScript's name
        """Return the query."""
        return "&".join(f"{_form(key)}={_form(value)}" for key, value in self._pairs)

    def _change(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        if self._of is not None:
            self._of._set_query(self.toString())


class URL(JsObject):
    """An absolute URL in its normal form."""

    def __init__(self, url: Any, base: Any = None) -> None:
        text = re.sub(r"[\t\n\r]", "", js_text(url).strip(" \t\n\r\f\v"))
        if base is not None and not _SCHEME.match(text):
            start = URL(base).href
            text = urljoin(start, text.replace("\\", "/")) if text else start.partition("#")[0]
        self._parse(text)

    @staticmethod
    def canParse(url: Any, base: Any = None) -> bool:  # JavaScript's name
        """Whether this is a URL."""
        try:
            URL(url, base)
        except JsException:
            return False
        return True

    @staticmethod
    def parse(url: Any, base: Any = None) -> Any:
        """Return a URL; null if this is none."""
        return URL(url, base) if URL.canParse(url, base) else jsnull

    def _parse(self, text: str) -> None:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise JsException("Invalid URL", "TypeError") from None
        self.protocol = f"{parts.scheme}:"
        special = self.protocol in _DEFAULT_PORTS
        if not parts.scheme or (special and not parts.hostname):
            raise JsException("Invalid URL", "TypeError")
        self.username = quote(parts.username or "", _USER)
        self.password = quote(parts.password or "", _USER)
        self.hostname = _host(parts.hostname or "")
        shown = "" if port is None or str(port) == _DEFAULT_PORTS.get(self.protocol) else str(port)
        self.port = shown
        path = parts.path.replace("\\", "/") if special else parts.path
        self.pathname = quote(_without_dots(path) if special else path, _PATH)
        self._query = quote(parts.query, _QUERY if special else _QUERY + "'")
        self._fragment = quote(parts.fragment, _FRAGMENT)
        self._has_host = special or text.startswith(f"{parts.scheme}://")
        self.searchParams = URLSearchParams(self._query, self)

    @property
    def host(self) -> str:
        """Host and port."""
        return f"{self.hostname}:{self.port}" if self.port else self.hostname

    @property
    def origin(self) -> str:
        """Protocol, host and port."""
        return f"{self.protocol}//{self.host}" if self.protocol in _DEFAULT_PORTS else "null"

    @property
    def search(self) -> str:
        """The query with its `?`; nothing if it is empty."""
        return f"?{self._query}" if self._query else ""

    @search.setter
    def search(self, value: str) -> None:
        self._set_query(quote(value.removeprefix("?"), _QUERY))
        self.searchParams._pairs = _pairs(self._query)

    @property
    def hash(self) -> str:
        """The fragment with its `#`; nothing if it is empty."""
        return f"#{self._fragment}" if self._fragment else ""

    @hash.setter
    def hash(self, value: str) -> None:
        self._fragment = quote(value.removeprefix("#"), _FRAGMENT)

    @property
    def href(self) -> str:
        """All of it."""
        user = f"{self.username}:{self.password}" if self.password else self.username
        at = f"{user}@" if user else ""
        start = f"{self.protocol}//{at}{self.host}" if self._has_host else self.protocol
        return f"{start}{self.pathname}{self.search}{self.hash}"

    @href.setter
    def href(self, value: str) -> None:
        self._parse(js_text(value))

    def toString(self) -> str:  # JavaScript's name
        """Return all of it."""
        return self.href

    toJSON = toString  # JavaScript's name

    def _set_query(self, query: str) -> None:
        self._query = query


_UNESCAPED = "!'()*-._~"
_RESERVED = ";/?:@&=+$,#"


def encodeURIComponent(text: Any) -> str:  # JavaScript's name
    """Return a text with all escaped that means something in a URL."""
    return _escaped(text, _UNESCAPED)


def encodeURI(text: Any) -> str:  # JavaScript's name
    """Return a URL with all escaped that cannot stand in one."""
    return _escaped(text, _UNESCAPED + _RESERVED)


def decodeURIComponent(text: Any) -> str:  # JavaScript's name
    """Return a text without escapes. Raises JsException for those that are not UTF-8."""
    return _unescaped(js_text(text), "")


def decodeURI(text: Any) -> str:  # JavaScript's name
    """Return a URL without escapes, but for those of characters that mean something there."""
    return _unescaped(js_text(text), _RESERVED)


def _escaped(text: Any, safe: str) -> str:
    try:
        return quote(js_text(text), safe)
    except UnicodeEncodeError:  # half of a pair
        raise JsException("URI malformed", "URIError") from None


def _unescaped(text: str, kept: str) -> str:
    def decoded(found: re.Match[str]) -> str:
        try:
            plain = bytes.fromhex(found[0].replace("%", "")).decode()
        except ValueError:
            raise JsException("URI malformed", "URIError") from None
        return "".join(quote(each, "") if each in kept else each for each in plain)

    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise JsException("URI malformed", "URIError")
    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", decoded, text)


def _pairs(init: Any) -> list[tuple[str, str]]:
    if init is None:
        return []
    if isinstance(init, str):
        return parse_qsl(init.removeprefix("?"), keep_blank_values=True)
    if isinstance(init, URLSearchParams):
        return list(init._pairs)
    if isinstance(init, DataProxy) and not isinstance(init, JsArrayProxy):
        init = init._js_target
    items = init.items() if hasattr(init, "items") else init
    return [(js_text(key), js_text(value)) for key, value in items]


def _form(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


def _host(name: str) -> str:
    if ":" in name:
        return f"[{name}]"
    if not name.isascii():
        try:
            return name.encode("idna").decode()
        except UnicodeError:
            raise JsException("Invalid URL", "TypeError") from None
    if re.search(r"[\x00-\x20#/<>?@\[\\\]^|%]", name):
        raise JsException("Invalid URL", "TypeError")
    return name.lower()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    parts = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        plain = part.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        if plain not in (".", ".."):
            kept.append(part)
        elif last:
            kept.append("")
    return "/" + "/".join(kept)
