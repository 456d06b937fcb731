"""Who answers a workflow command: the running server, or the journal when none runs.

Both speak the same REST API (docs/rest.md; the explorer's base, where values are whole), so a
command cannot tell them apart except by `live`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from emulator.cli.options import load_project
from emulator.cli.workflows.options import Target
from emulator.errors import EmulatorError
from emulator.state import RunningServer, State

Json = Any
Record = dict[str, Any]

BASE = "/cdn-cgi/local/explorer/api/workflows"
OWN = "/cdn-cgi/groundfog/workflows"  # what only Groundfog has
_NOT_FOUND = 404


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
        return self.status == _NOT_FOUND


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered; `info` is `result_info`."""

    result: Json
    info: Mapping[str, Json]


class Api(Protocol):
    """The REST API of one project's workflows. `live`: a server runs them meanwhile."""

    live: bool

    def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Json = None,
        base: str = BASE,
    ) -> Answer:
        """Send a request to a path below `base`, in segments; None sends no body.

        Raises Refused when it is answered with an error, Unreachable when it is not answered.
        """
        ...

    def events(self, workflow: str, instance: str, after: int) -> Iterator[Record]:
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


@contextmanager
def opened(target: Target, *, changes: bool = False) -> Iterator[Api]:
    """Find out who answers. Raises EmulatorError.

    changes: the command changes something; without a server it then holds the state's lock.
    """
    from emulator.cli.workflows.remote import RemoteApi

    if target.port is not None:
        given = RunningServer(0, "127.0.0.1", target.port, "")
        yield RemoteApi(given, lambda: given)
        return
    config = load_project(target.project)
    state = State.locate(config, target.project.persist_to)
    server = state.running_server()
    if server is not None:
        yield RemoteApi(server, state.running_server)
        return
    from emulator.cli.workflows.local import open_local

    with open_local(config, state, changes) as local:
        yield local
