"""What a worker under test fetches from elsewhere, and what it gets."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from groundfog.testing import mocking
from groundfog.testing.opened import Opened
from groundfog.testing.outbound_values import OutboundRequest, answer_of
from groundfog.testing.sending import _UNSET

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class AsyncOutbound:
    """The network of a worker: refused, but for what a rule answers or `allow` lets through.

    A request that no rule is for fails the test, even if the worker catches the error; so does a
    rule that answers nothing, unless `assert_all_called` is set to False.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def assert_all_called(self) -> bool:
        """Whether a rule that answers nothing fails the test."""
        return bool(self._opened.strict.get("outbound", True))

    @assert_all_called.setter
    def assert_all_called(self, wanted: bool) -> None:
        self._opened.strict["outbound"] = wanted

    def route(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = _UNSET,
        content: str | bytes | None = None,
    ) -> AsyncRoute:
        """Return a rule for requests with this method ("" is any) and address.

        It answers "200 OK" until it is told something else.
        url: `*` in it stands for anything; without a query, it is for every query. params, headers,
        json: what a request must have at least. Of several rules for one request, the last answers.
        """
        rule: dict[str, Any] = {
            "method": method.upper(),
            "url": url,
            "params": {name: str(value) for name, value in (params or {}).items()},
            "headers": dict(headers or {}),
            "json": None if json is _UNSET else json,
            "has_json": json is not _UNSET,
            "content": content.encode() if isinstance(content, str) else content,
        }
        return AsyncRoute(self._opened, rule)

    def get(self, url: str, **wanted: Any) -> AsyncRoute:
        """Return a rule for GET requests; see `route`."""
        return self.route("GET", url, **wanted)

    def post(self, url: str, **wanted: Any) -> AsyncRoute:
        """Return a rule for POST requests; see `route`."""
        return self.route("POST", url, **wanted)

    def put(self, url: str, **wanted: Any) -> AsyncRoute:
        """Return a rule for PUT requests; see `route`."""
        return self.route("PUT", url, **wanted)

    def patch(self, url: str, **wanted: Any) -> AsyncRoute:
        """Return a rule for PATCH requests; see `route`."""
        return self.route("PATCH", url, **wanted)

    def delete(self, url: str, **wanted: Any) -> AsyncRoute:
        """Return a rule for DELETE requests; see `route`."""
        return self.route("DELETE", url, **wanted)

    def allow(self, *hosts: str) -> None:
        """Let requests to these hosts through, such as `"api.example"` or `"*.example"`."""
        names = [urlsplit(host).hostname or host if "://" in host else host for host in hosts]
        self._opened.link.tell(self._opened.number, "outbound.allow", hosts=names)

    @property
    async def calls(self) -> list[OutboundRequest]:
        """The requests that rules have answered."""
        return await _calls(self._opened, 0)


class AsyncRoute:
    """One rule. Its methods say how it answers, and return it."""

    def __init__(self, opened: Opened, rule: dict[str, Any]) -> None:
        self._opened = opened
        self._rule = {**rule, "number": next(mocking.numbers), "answer": answer_of(b"")}
        self._tell()

    def respond(
        self,
        status_code: int = 200,
        *,
        json: Any = _UNSET,
        text: str | None = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncRoute:
        """Answer with this."""
        body: Any = content if text is None else text
        answer = answer_of((status_code, body), dict(headers or {}))
        if json is not _UNSET:
            answer["body"] = json_module.dumps(json).encode()
            answer["headers"].insert(0, ["content-type", "application/json"])
        return self._with(answer=answer, raises=None, function=0)

    def raises(self, error: BaseException | str = "Network connection lost.") -> AsyncRoute:
        """Let the request fail: `fetch` raises in the worker."""
        return self._with(raises=mocking.error_of(error))

    def answer(self, function: Callable[[OutboundRequest], Any]) -> AsyncRoute:
        """Answer with what `function(request)` returns, in the test, while it waits.

        That is JSON (a dict or a list), a text, bytes, or `(status, one of these)`. It may raise.
        """
        number = mocking.request_function(self._opened.link, function)
        return self._with(function=number, raises=None)

    def delay(self, milliseconds: int) -> AsyncRoute:
        """Answer after so much real time."""
        return self._with(delay_ms=milliseconds)

    def times(self, count: int) -> AsyncRoute:
        """Answer so often; further requests are for other rules."""
        return self._with(times=count)

    @property
    async def calls(self) -> list[OutboundRequest]:
        """The requests that it has answered."""
        return await _calls(self._opened, int(self._rule["number"]))

    @property
    async def call_count(self) -> int:
        """How many requests it has answered."""
        return len(await self.calls)

    def _with(self, **fields: Any) -> AsyncRoute:
        self._rule |= fields
        self._tell()
        return self

    def _tell(self) -> None:
        self._opened.link.tell(self._opened.number, "outbound.rule", **self._rule)


async def _calls(opened: Opened, number: int) -> list[OutboundRequest]:
    found = await opened.link.asking(opened.number, "outbound.calls", number=number)
    return [OutboundRequest.of(each) for each in found]
