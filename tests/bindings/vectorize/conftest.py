"""Fixtures: an index in a file of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectorize import Vectorize


class Session:
    """Calls an index from synchronous tests, on one event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.announcements: list[str] = []
        self._runner = asyncio.Runner()
        self._open: list[Vectorize] = []

    def index(self, **settings: Any) -> Vectorize:
        """Return a new binding on the same file."""
        clock = settings.pop("clock", None)
        config = IndexConfig(**settings)
        binding = Vectorize(
            self.path, "skills", config, announce=self.announcements.append, clock=clock
        )
        self._open.append(binding)
        return binding

    def call(self, binding: Vectorize, method: str, *args: Any) -> Any:
        return self.run(binding.call(method, list(args)))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def close_binding(self, binding: Vectorize) -> None:
        self._open.remove(binding)
        self.run(binding.close())

    def close(self) -> None:
        while self._open:
            self.close_binding(self._open[-1])
        self._runner.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = Session(tmp_path / "vectorize" / "skills.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def call(session: Session) -> Callable[..., Any]:
    """Call a method of one index without any settings."""
    binding = session.index()
    return lambda method, *args: session.call(binding, method, *args)
