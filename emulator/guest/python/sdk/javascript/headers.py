"""`Headers`. Source: https://fetch.spec.whatwg.org/#headers-class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..jserror import JsException
from ..jsnull import jsnull
from ..jsobject import JsObject
from ..jsproxy import DataProxy, JsArrayProxy, JsProxy, call_with
from ..workers.headers import HeaderList, checked_header, from_user

_COOKIE = "set-cookie"


class Headers(JsObject):
    """Names in any case, with values. Repeats are joined, except of `set-cookie`."""

    def __init__(self, init: Any = None) -> None:
        self._list: HeaderList = header_list(init)
        self._immutable = False

    @classmethod
    def of(cls, headers: HeaderList, immutable: bool = False) -> Headers:
        """Return what shows and changes this list."""
        made = cls()
        made._list, made._immutable = headers, immutable
        return made

    def get(self, name: str) -> Any:
        """Return the value; null if there is none."""
        found = self._values(name)
        return ", ".join(found) if found else jsnull

    def getAll(self, name: str) -> JsProxy:  # JavaScript's name
        """Return each value of `set-cookie`."""
        return JsArrayProxy(self._values(name), "getAll(…)")

    def getSetCookie(self) -> JsProxy:  # JavaScript's name
        """Return each value of `set-cookie`."""
        return self.getAll(_COOKIE)

    def has(self, name: str) -> bool:
        """Whether a name is there."""
        return bool(self._values(name))

    def set(self, name: str, value: Any) -> None:
        """Put a value in place of all others of the name."""
        pair = self._check(name, value)
        places = [n for n, (key, _) in enumerate(self._list) if key.lower() == pair[0].lower()]
        if places:
            self._list[places[0]] = pair
            for place in reversed(places[1:]):
                del self._list[place]
        else:
            self._list.append(pair)

    def append(self, name: str, value: Any) -> None:
        """Add a value."""
        self._list.append(self._check(name, value))

    def delete(self, name: str) -> None:
        """Remove all values of a name."""
        self._check(name, "")
        self._list[:] = [pair for pair in self._list if pair[0].lower() != name.lower()]

    def keys(self) -> Iterator[str]:
        """Return the names."""
        return iter([name for name, _ in self._sorted()])

    def values(self) -> Iterator[str]:
        """Return the values."""
        return iter([value for _, value in self._sorted()])

    def entries(self) -> Iterator[Any]:
        """Return pairs, in the order of the names."""
        return iter([JsArrayProxy(list(pair), "a header") for pair in self._sorted()])

    def forEach(self, function: Any) -> None:  # JavaScript's name
        """Call `function(value, name, headers)` for each."""
        for name, value in self._sorted():
            call_with(function, value, name, self)

    __iter__ = entries

    def __contains__(self, name: str) -> bool:
        return self.has(name)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def _values(self, name: str) -> list[str]:
        lower = str(name).lower()
        return [value for key, value in self._list if key.lower() == lower]

    def _sorted(self) -> HeaderList:
        names = sorted({name.lower() for name, _ in self._list})
        found: HeaderList = []
        for name in names:
            values = self._values(name)
            found += [(name, each) for each in (values if name == _COOKIE else [", ".join(values)])]
        return found

    def _check(self, name: Any, value: Any) -> tuple[str, str]:
        if self._immutable:
            raise JsException("Can't modify immutable headers.", "TypeError")
        return checked_header(name, value)


def header_list(init: Any) -> HeaderList:
    """Return the headers that JavaScript's constructors take: Headers, an object, or pairs."""
    if init is None or init is jsnull:
        return []
    if isinstance(init, Headers):
        return list(init._list)
    if isinstance(init, DataProxy):
        init = init._js_target
    if isinstance(init, dict):
        return from_user(init)
    return from_user([list(pair) for pair in init])
