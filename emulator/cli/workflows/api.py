"""What answers a workflow command: the REST API, whoever speaks it.

`cli/remote.py` asks a running server, `local.py` the same routes in this process (docs/rest.md; the
explorer's base, where values are whole). A command cannot tell them apart except by `live`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from emulator.answers.workflows import LogEventRecord
from emulator.cli.cells import printable, shorten
from emulator.errors import EmulatorError
from emulator.protocol import deep_json

BASE = "/cdn-cgi/local/explorer/api/workflows"
OWN = "/cdn-cgi/groundfog/workflows"  # what only Groundfog has
_SAID_MAX = 300  # characters of an answer that is not the API's
_QUOTED = 80  # of one that may be anything
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Unreachable(EmulatorError):
    """The server does not answer; it may have ended."""


class Refused(EmulatorError):
    """The API said no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for does not exist."""
        return self.status == HTTPStatus.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered; `info` is `result_info`.

    Which type of `emulator.answers` they have depends on the route: the caller says it.
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
        """Send a request to a path below `base`, in segments; None sends no body.

        Raises Refused when it is answered with an error, Unreachable when it is not answered.
        """
        ...

    def events(self, workflow: str, instance: str, after: int) -> Iterator[LogEventRecord]:
        """Yield the events of an instance past the id `after`, as they happen, until it ends.

        Or until the server does. Raises Refused and Unreachable as `ask`.
        """
        ...

    def find_again(self) -> None:
        """Look for the server anew: it may have been started again, on another port."""
        ...


def route(base: str, path: tuple[str, ...]) -> str:
    """Return segments as a path: `("flow", "instances", "a/b")` -> `…/flow/instances/a%2Fb`."""
    return "".join([base, *(f"/{quote(segment, safe='')}" for segment in path)])


def read_answer(status: int, text: bytes, who: str) -> Answer:
    """Return what an envelope holds. Raises Refused, or EmulatorError for anything else."""
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
