"""The bindings of a worker: opened at the first call, shared by generations, kept over reloads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from bindings.ai.ai import Ai
from bindings.workflow.workflow import Executor
from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.errors import WorkerError
from emulator.kinds.open_bindings import Bindings
from emulator.peers import Peers
from emulator.sqlite import Removed
from emulator.state import State
from tests.config.project import Project

D1 = '[[d1_databases]]\nbinding = "{name}"\ndatabase_id = "{id}"\n'
AI = '[ai]\nbinding = "AI"\n'


def nothing(*told: Any) -> None:
    return None


def bindings(folder: Path, look: Any = nothing) -> Bindings:
    executor, none = cast(Executor, None), cast(Any, None)
    return Bindings(
        State(folder / "state"), SystemClock(), executor, nothing, look, Peers(), none, none
    )


def configured(folder: Path, text: str, settings: str = "") -> Config:
    project = Project(folder)
    project.toml(text)
    project.write("groundfog.toml", settings)
    return project.load()


async def rows(binding: Any, sql: str) -> Any:
    return await binding.call("query", [[{"sql": sql, "params": []}]])


def test_two_names_of_one_database_are_one_open_database(tmp_path: Path) -> None:
    config = configured(tmp_path, D1.format(name="A", id="one") + D1.format(name="B", id="one"))

    async def scenario() -> None:
        opened = bindings(tmp_path)
        named = opened.of(config)
        await rows(named["A"], "CREATE TABLE t (x)")
        await rows(named["B"], "INSERT INTO t VALUES (1)")
        assert named["A"] is named["B"]
        assert opened.of(config)["A"] is named["A"]  # in the next generation, too
        await opened.close()

    asyncio.run(scenario())


def test_a_binding_whose_settings_change_is_opened_anew_and_the_budget_is_not(
    tmp_path: Path,
) -> None:
    limited = "[ai]\nmax_calls = 1\n"
    before = configured(tmp_path, AI, limited)
    after = configured(tmp_path, AI, limited + '[[ai.rules]]\ntext = "fixed"\n')

    async def ask(ai: Any) -> Any:
        return await ai.call("run", ["@cf/meta/llama-3.1-8b-instruct", {"prompt": "hello"}])

    async def scenario() -> None:
        opened = bindings(tmp_path)
        first, second = opened.of(before)["AI"], opened.of(after)["AI"]
        assert first is not second
        await ask(first)
        with pytest.raises(WorkerError, match="budget|max_calls"):
            await ask(second)
        await opened.close()

    asyncio.run(scenario())


def test_what_the_rest_api_speaks_for_is_what_the_worker_calls(tmp_path: Path) -> None:
    from emulator.kinds.ai import KIND, settings_of

    config = configured(tmp_path, AI)

    async def scenario() -> None:
        opened = bindings(tmp_path)
        ai = opened.opened(KIND, settings_of(config), config)
        assert isinstance(ai, Ai)
        assert cast(Any, opened.of(config)["AI"]).opened() is ai
        await opened.close()

    asyncio.run(scenario())


def test_no_database_is_begun_where_the_state_was_removed(tmp_path: Path) -> None:
    def removed() -> None:
        raise Removed("the state is gone")

    config = configured(tmp_path, D1.format(name="DB", id="one"))

    async def scenario() -> None:
        with pytest.raises(WorkerError, match="the state is gone"):
            await rows(bindings(tmp_path, removed).of(config)["DB"], "SELECT 1")

    asyncio.run(scenario())
    assert not (tmp_path / "state").exists()


def test_a_start_imports_no_binding() -> None:
    program = (
        "import sys, emulator.cli.serving\n"
        "print([name for name in ('apsw', 'numpy', 'bindings.ai.ai', 'bindings.d1.database',"
        " 'bindings.vectorize.index', 'bindings.workflow.workflow') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
