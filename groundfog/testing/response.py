"""The response to a request, in the shape of httpx's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from http.cookies import SimpleCookie
from typing import Any

from groundfog.testing.errors import GroundfogError


@dataclass(frozen=True, slots=True)
class ScheduledResult:
    """How a call of `scheduled` ended: "ok" or "exception", and whether it wants no retry."""

    outcome: str
    no_retry: bool


class Headers(Mapping[str, str]):
    """Header fields; names in any case. Fields of one name are joined by `", "`."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> str:
        found = self.get_list(name)
        if not found:
            raise KeyError(name)
        return ", ".join(found)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_list(name))

    def get_list(self, name: str) -> list[str]:
        """Return the value of each field of this name."""
        return [value for other, value in self._pairs if other.lower() == name.lower()]

    def multi_items(self) -> list[tuple[str, str]]:
        """Return every field, in order, names as the worker wrote them."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"


class HTTPStatusError(GroundfogError):
    """`raise_for_status()` of a response with a status of 400 or more."""

    def __init__(self, text: str, response: Response) -> None:
        super().__init__(text)
        self.response = response


class Response:
    """A worker's answer, read to its end.

    status_code, reason_phrase: `200`, `"OK"`. url: what was asked for. content: the body.
    """

    def __init__(
        self,
        status_code: int,
        reason_phrase: str,
        headers: list[tuple[str, str]],
        content: bytes,
        method: str,
        url: str,
        history: list[Response],
    ) -> None:
        self.status_code = status_code
        self.reason_phrase = reason_phrase
        self.headers = Headers(headers)
        self.content = content
        self.method = method
        self.url = url
        self.history = history

    @property
    def encoding(self) -> str:
        """The character set that `content-type` names; "utf-8" without one."""
        fields = Message()
        fields["content-type"] = self.headers.get("content-type", "")
        return fields.get_content_charset() or "utf-8"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(self.encoding, "replace")

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError when it is something else."""
        return json.loads(self.content)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that it sets, by name."""
        found: dict[str, str] = {}
        for value in self.headers.get_list("set-cookie"):
            found |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
        return found

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """Whether it is a redirect with a `location`."""
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def is_error(self) -> bool:
        """Whether the status is 400 or more."""
        return self.status_code >= 400

    def raise_for_status(self) -> Response:
        """Return this response. Raises HTTPStatusError for a status of 400 or more."""
        if self.is_error:
            status = f"{self.status_code} {self.reason_phrase}".rstrip()
            excerpt = self.text[:500]
            raise HTTPStatusError(f"{self.method} {self.url} answered {status}: {excerpt}", self)
        return self

    def __repr__(self) -> str:
        return f"<Response [{self.status_code} {self.reason_phrase}]>".replace(" ]", "]")
