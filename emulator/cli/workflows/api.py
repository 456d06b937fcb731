"""What a workflow command asks: the REST API, of a running server or of this process.

`cli/remote.py` asks a running server, `local.py` the same routes in this process (docs/rest.md; the
explorer's base, where values are whole). A command cannot tell them apart except by `live`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from emulator.answers.workflows import LogEventDetail
from emulator.cli.cells import printable, shorten
from emulator.errors import EmulatorError
from emulator.protocol import deep_json

BASE = "/cdn-cgi/local/explorer/api/workflows"
OWN = "/cdn-cgi/groundfog/workflows"  # routes that only Groundfog has
_SAID_MAX = 300  # characters of a text that the API has not written
_QUOTED = 80  # characters of it in an error
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Unreachable(EmulatorError):
    """The server does not answer; it may have ended."""


class Refused(EmulatorError):
    """The API refused a request; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_missing(self) -> bool:
        """Whether the reason is that something does not exist."""
        return self.status == HTTPStatus.NOT_FOUND


class Answer(Struct, frozen=True):
    """The answer of the API; `info` is `result_info`.

    The route says which types of `emulator.answers` they have, and the caller names these.
    """

    result: Any
    info: Any


class Api(Protocol):
    """The REST API of one project's workflows. `live`: a server runs them meanwhile."""

    live: bool

    def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        base: str = BASE,
    ) -> Answer:
        """Send a request to a path below `base`, given in segments. body: None sends no body.

        Raises Refused when the answer is an error, Unreachable when there is no answer.
        """
        ...

    def events(self, workflow: str, instance: str, after: int) -> Iterator[LogEventDetail]:
        """Yield the events of an instance after the id `after`, as they happen.

        It ends with the instance, or with the server. Raises Refused and Unreachable as `ask`.
        """
        ...

    def find_again(self) -> None:
        """Look for the server again: it may have been restarted, on another port."""
        ...


def route(base: str, path: tuple[str, ...]) -> str:
    """Return segments as a path: `("flow", "instances", "a/b")` -> `…/flow/instances/a%2Fb`."""
    return "".join([base, *(f"/{quote(segment, safe='')}" for segment in path)])


def read_answer(status: int, text: bytes, who: str) -> Answer:
    """Return the answer in an envelope. Raises Refused, or EmulatorError for any other text."""
    try:
        envelope = deep_json.loads(text)
        if envelope["success"]:
            return Answer(envelope["result"], envelope.get("result_info") or {})
        message = str(envelope["errors"][0]["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        said = " ".join(text[:_SAID_MAX].decode("utf-8", "replace").split())
        if status in _FORBIDDEN:
            raise EmulatorError(f"{who} refused: {printable(said)}") from None
        quoted = shorten(printable(said), _QUOTED)
        raise EmulatorError(
            f"{who} answered HTTP {status} without the Workflows API: {quoted}\n"
            "  Is it a groundfog dev, and one of this version?"
        ) from None
    raise Refused(status, message)
