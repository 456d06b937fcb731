"""What a worker under test fetches: answered by rules, let through, or refused.

It stands in front of the network (`bindings/network/network.py`).
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct, field

from bindings.network.network import LOST, Network
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.testing.connection import TestFailed

CallTest = Callable[..., Awaitable[Any]]


class Rule(Struct):
    """One rule: which requests it is for, and how they are answered.

    url: an address, with `*` for anything; without a query it is for all. params, headers, json:
    what the request must have at least. answer: `{"status", "headers", "body"}`. raises: name and
    message of an error. function: the number of one of the test's that answers.
    """

    number: int
    method: str
    url: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    has_json: bool = False
    content: bytes | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    raises: tuple[str, str] | None = None
    function: int = 0
    delay_ms: int = 0
    times: int | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)

    def differs(self, request: dict[str, Any]) -> list[str]:
        """Return in what a request differs from what this rule is for; nothing: it is for it."""
        found = []
        if self.method not in ("", request["method"]):
            found.append(f"method {self.method}, not {request['method']}")
        if not self._is_url(request["url"]):
            found.append(f"URL {self.url}, not {request['url']}")
        query = dict(parse_qsl(urlsplit(request["url"]).query))
        given = {name.lower(): value for name, value in request["headers"]}
        found += _differing("parameter", self.params, query)
        found += _differing("header", {k.lower(): v for k, v in self.headers.items()}, given)
        if self.content is not None and self.content != (request["body"] or b""):
            found.append("another body")
        if self.has_json:
            found += _json_differs(self.json, request["body"])
        if self.times is not None and len(self.calls) >= self.times:
            found.append(f"it has answered {self.times} times already")
        return found

    @property
    def shown(self) -> str:
        """The rule in words: `POST https://api.example/charges`."""
        return f"{self.method or 'any method'} {self.url}"

    def _is_url(self, url: str) -> bool:
        plain = url if "?" in self.url else url.partition("?")[0]
        return fnmatch.fnmatchcase(plain.rstrip("/"), self.url.replace("[", "[[]").rstrip("/"))


class Outbound:
    """All rules of one worker, and what no rule was for."""

    kind = "network"

    def __init__(self, call: CallTest) -> None:
        self.rules: list[Rule] = []
        self.allowed: set[str] = set()
        self.unexpected: list[str] = []
        self.log: list[str] = []  # each request and what became of it, for people
        self._call = call
        self._network = Network()

    async def call(self, method: str, args: list[Any]) -> Any:
        """Answer `fetch(request)` as the network does. Raises WorkerError."""
        request = args[0]
        request["body"] = await _whole(request["body"])
        best, what = self.rule_for(request), f"{request['method']} {request['url']}"
        if best is not None:
            best.calls.append(request)
            self.log.append(f"{what}, answered by the rule {best.shown}")
            return await self._answer(best, request)
        host = urlsplit(request["url"]).hostname or ""
        if any(fnmatch.fnmatchcase(host, pattern) for pattern in self.allowed):
            self.log.append(f"{what}, let through")
            return await self._network.call(method, args)
        text = self._refusal(request)
        self.log.append(f"{what}, refused")
        self.unexpected.append(text)
        raise WorkerError(text, name="NetworkRefused")

    async def close(self) -> None:
        """See `Binding`."""

    def rule_for(self, request: dict[str, Any]) -> Rule | None:
        """Return the rule that answers a request: of several, the last one."""
        return next((rule for rule in reversed(self.rules) if not rule.differs(request)), None)

    def refused(self, place: str) -> None:
        """A connection that the guest was about to open was refused."""
        self.unexpected.append(f"a connection to {place}, which is not made with fetch()")

    async def _answer(self, rule: Rule, request: dict[str, Any]) -> dict[str, Any]:
        if rule.delay_ms:
            await asyncio.sleep(rule.delay_ms / 1000)
        if rule.raises is not None:
            name, message = rule.raises
            raise WorkerError(message or LOST, name=name)
        answer = rule.answer
        if rule.function:
            try:
                answer = values.decode(await self._call(rule.function, request))
            except TestFailed as error:
                raise WorkerError(error.message, name=error.name) from None
        return {
            "status": answer["status"],
            "status_text": "",
            "headers": answer["headers"],
            "body": answer["body"],
        }

    def _refusal(self, request: dict[str, Any]) -> str:
        what = f"{request['method']} {request['url']}"
        text = f"{what} is fetched, and no rule of worker.outbound is for it."
        if self.rules:
            nearest = min(self.rules, key=lambda rule: len(rule.differs(request)))
            differs = "; ".join(nearest.differs(request))
            text += f" The nearest is {nearest.shown}; it expects: {differs}."
        host = urlsplit(request["url"]).hostname
        return text + f' worker.outbound.allow("{host}") would let it through.'


async def _whole(body: Any) -> bytes | None:
    """Return a body as rules compare it."""
    if body is None or isinstance(body, bytes):
        return body
    return b"".join([piece async for piece in body])


def _differing(what: str, wanted: dict[str, str], given: dict[str, str]) -> list[str]:
    return [
        f"{what} {name}={value!r}, not {given.get(name)!r}"
        for name, value in wanted.items()
        if given.get(name) != value
    ]


def _json_differs(wanted: Any, body: bytes | None) -> list[str]:
    try:
        given = json.loads(body or b"")
    except ValueError:
        return ["JSON, not another body"]
    return [] if _holds(given, wanted) else [f"JSON {json.dumps(wanted)}, not {json.dumps(given)}"]


def _holds(given: Any, wanted: Any) -> bool:
    """Whether a value has at least what is wanted: more members of objects are fine."""
    if isinstance(wanted, dict) and isinstance(given, dict):
        return all(name in given and _holds(given[name], each) for name, each in wanted.items())
    return bool(given == wanted)
