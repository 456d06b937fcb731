"""Fixtures: a server on a project written for the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.server import DevServer

Serve = Callable[..., DevServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start `groundfog dev` on a project; it is stopped when the test ends."""
    with ExitStack() as stack:

        def start(project: Path, *arguments: str, env: dict[str, str] | None = None) -> DevServer:
            return stack.enter_context(DevServer(project, *arguments, env=env))

        yield start
