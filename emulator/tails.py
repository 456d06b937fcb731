"""What events of a worker did, on its way to the workers in its `tail_consumers`.

A guest tells of each event when it is over. Nobody waits for the consumers.
Source: docs/platform/services.md, "Tail consumers".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from emulator.config.model import Config
from emulator.errors import EmulatorError
from emulator.kinds.tail_consumers import TailConsumer
from emulator.peers import Peers

_SECRET = re.compile("auth|jwt|key|secret|token|^(set-)?cookie$")
_WORD = re.compile(r"[A-Za-z0-9+_-]+")
_HEX_DIGITS, _BASE64_CHARS, _OF_EACH_SORT = 32, 21, 2
_REDACTED = "REDACTED"


def consumers(config: Config) -> list[str]:
    """Return the names of the workers that hear of this one."""
    return [bound.record.worker for bound in config.bound(TailConsumer)]


class Tails:
    """Tells the consumers of one worker. error: what the person at the terminal is told.

    A guest calls it as a binding.
    """

    kind = "tails"

    def __init__(
        self, config: Callable[[], Config], peers: Peers, error: Callable[[str], None]
    ) -> None:
        self._config = config
        self._peers = peers
        self._error = error
        self._missing: set[str] = set()  # consumers that were told of once
        self._calls: set[asyncio.Task[None]] = set()

    async def call(self, method: str, args: list[Any]) -> None:
        """Pass `trace(item)` on."""
        config = self._config()
        item = _completed(args[0], config.name)
        for name in consumers(config):
            call = asyncio.get_running_loop().create_task(self._tell(name, item))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Tell nobody any more."""
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _tell(self, name: str, item: dict[str, Any]) -> None:
        peer = self._peers.find(name)
        if peer is None:
            if name not in self._missing:
                self._missing.add(name)
                start = f"groundfog dev {self._config().name} {name}"
                self._error(
                    f"tail consumer {name} does not run, so it hears of nothing. Start both workers"
                    f" together: {start}"
                )
            return
        try:
            told = await peer.handle("tail", [[item]])
        except EmulatorError as error:
            self._error(f"tail consumer {name} was not called: {error}")
            return
        if told["outcome"] != "ok":
            self._error(f"tail consumer {name} failed\n{told['error'][2].rstrip()}")


def _completed(item: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an item with what the host knows, and with secrets of the request hidden."""
    event = item["event"]
    if "request" in event:
        request = event["request"]
        headers = {
            name: _REDACTED if _SECRET.search(name) else value
            for name, value in request["headers"].items()
        }
        shown = {**request, "url": redacted(request["url"]), "headers": headers}
        event = {**event, "request": {**shown, "unredacted": request}}
    constant = {"diagnosticsChannelEvents": [], "truncated": False, "cpuTime": 0}
    return {**item, **constant, "scriptName": name, "event": event}


def redacted(url: str) -> str:
    """Return a URL without what looks like an id or a key: long hex, or long and mixed.

    Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/util/own-util.h (redactUrl).
    """
    return _WORD.sub(lambda found: _REDACTED if _is_secret(found[0]) else found[0], url)


def _is_secret(word: str) -> bool:
    plain = re.sub(r"[+_-]", "", word)
    if len(plain) >= _HEX_DIGITS and not re.search(r"[^0-9A-Fa-f]", plain):
        return True
    sorts = (str.islower, str.isupper, str.isdigit)
    return len(word) >= _BASE64_CHARS and all(
        sum(map(sort, word)) >= _OF_EACH_SORT for sort in sorts
    )
