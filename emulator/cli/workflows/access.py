"""Who answers a workflow command: the running server, or the journal when none runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emulator.cli.options import load_project
from emulator.cli.workflows.api import Api
from emulator.cli.workflows.options import Target
from emulator.state import RunningServer, State


@contextmanager
def opened(target: Target, *, changes: bool = False) -> Iterator[Api]:
    """Find out who answers. Raises EmulatorError.

    changes: the command changes something; without a server it then holds the state's lock.
    """
    from emulator.cli.remote import RemoteApi

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
