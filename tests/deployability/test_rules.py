"""What works here and breaks deployed, each in a small source: found, and not where it is right."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import pytest

from emulator.deployability import calls, handlers, imports, loading, tasks
from emulator.deployability.source import Source
from emulator.findings import Finding
from emulator.packages.dependencies import Dependencies


def source(text: str) -> Source:
    return Source.parsed(Path("entry.py"), textwrap.dedent(text))


def kinds(found: Iterable[Finding]) -> list[tuple[int, str]]:
    return [(each.line, each.kind) for each in sorted(found)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import threading\nthreading.Thread(target=print).start()", "thread"),
        ("from concurrent.futures import ThreadPoolExecutor as T\nT()", "thread"),
        ("import subprocess\nsubprocess.run(['ls'])", "process"),
        ("from os import fork\nfork()", "process"),
        ("import multiprocessing\nmultiprocessing.Pool()", "process"),
        ("import asyncio\nasyncio.start_server(f)", "socket"),
        ("import socket\nsocket.create_connection(('a', 1))", "socket"),
        ("from urllib.request import urlopen\nurlopen('http://a')", "socket"),
        ("\nopen('notes.txt', 'w')", "file-write"),
        ("\nopen('notes.txt', mode='ab')", "file-write"),
        ("from pathlib import Path\nPath('notes.txt').write_text('x')", "file-write"),
        ("from pathlib import Path\nPath('notes.txt').open('w')", "file-write"),
        ("import os\nos.makedirs('notes')", "file-write"),
        ("\nopen('notes.txt')", ""),
        ("\nopen('/tmp/notes.txt', 'w')", ""),
        ("\nself.env.FILES.touch('x')", ""),
        ("import asyncio\nasyncio.to_thread(f)", ""),
    ],
)
def test_calls_of_what_pyodide_lacks_are_found(code: str, kind: str) -> None:
    assert kinds(calls.lacking(source(code), has_sockets=False)) == ([(2, kind)] if kind else [])


def test_sockets_are_fine_from_python_3_14_on_and_listening_is_not() -> None:
    code = source("import socket\nsocket.create_connection(x)\nsocket.create_server(x)")
    assert kinds(calls.lacking(code, has_sockets=True)) == [(3, "socket")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import uuid\nNAME = uuid.uuid4()", "import-chance"),
        ("from random import choice\nONE = choice([1, 2])", "import-chance"),
        ("import numpy as np\nN = np.random.rand()", "import-chance"),
        ("import secrets\ndef f(x=secrets.token_hex()): ...", "import-chance"),
        ("import random\nclass A: X = random.random()", "import-chance"),
        ("def make(): return __import__('x')\nmake()", ""),
        ("import httpx\nDATA = httpx.get('http://a')", "import-io"),
        ("from workers import env\nX = env.KV.get('a')", "import-io"),
        ("from pyodide.ffi import run_sync\nX = run_sync(f())", "import-io"),
        ("import numpy as np\nRNG = np.random.default_rng(1)", ""),
        ("import random\nRNG = random.Random(1)", ""),
        ("import httpx\nCLIENT = httpx.AsyncClient()", ""),
        ("from workers import env\nX = env.NAME", ""),
        ("import random\ndef f(): return random.random()", ""),
        ("import random\nif __name__ == '__main__': random.random()", ""),
        ("import random\nasync def f(): random.random()\nf()", ""),
    ],
)
def test_chance_and_io_while_a_module_is_loaded_are_found(code: str, kind: str) -> None:
    assert kinds(loading.at_import(source(code))) == ([(2, kind)] if kind else [])


def test_chance_in_a_function_that_is_called_while_loading_is_found() -> None:
    code = source("import uuid\n\ndef name():\n    return uuid.uuid4()\n\nNAME = name()\n")
    assert kinds(loading.at_import(code)) == [(4, "import-chance")]


@pytest.mark.parametrize(
    ("signature", "is_wrong"),
    [
        ("queue(self, batch)", True),
        ("queue(self)", True),
        ("scheduled(self, controller, env, ctx, more)", True),
        ("email(self, message, env)", True),
        ("queue(self, batch, env, ctx)", False),
        ("queue(self, batch, env=None, ctx=None)", False),
        ("queue(self, *given)", False),
        ("fetch(self)", False),
        ("helper(self, one)", False),
    ],
)
def test_handlers_that_cannot_take_what_they_get_are_found(signature: str, is_wrong: bool) -> None:
    code = source(
        f"""
        from workers import WorkerEntrypoint
        class Base(WorkerEntrypoint): ...
        class Default(Base):
            async def {signature}: ...
        """
    )
    assert kinds(handlers.wrong_arity(code)) == ([(5, "arity")] if is_wrong else [])


CROSSING = """
from workers import DurableObject, WorkerEntrypoint, WorkflowEntrypoint, env

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await self.env.DB.prepare("SELECT ?").bind((1, 2)).all()
        await env.KV.put("k", bytearray(2))
        await self.env.FLOW.create({"id": "a"}, params={})
        await self.env.QUEUE.send({"deep": [1, (2, 3)]})
        await self.env.KV.put("k", b"", {"expirationTtl": 60})
        return self.pair()

    def pair(self):
        return 1, 2

class Named(WorkerEntrypoint):
    def remote(self):
        return (each for each in [])

    def own(self):
        return 1, 2

    def calls(self):
        return {"sum": sum(self.own())}

class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("one")
        async def one():
            return "a", "b"
        return [await one()]
"""


def test_values_that_cannot_cross_are_found() -> None:
    assert kinds(handlers.not_crossing(source(CROSSING))) == [
        (6, "value"),
        (7, "value"),
        (8, "options"),
        (9, "value"),
        (18, "value"),
        (30, "value"),
    ]


def test_work_that_nobody_waits_for_is_found() -> None:
    code = source(
        """
        import asyncio
        async def f():
            asyncio.create_task(g())
            task = asyncio.create_task(g())
            await asyncio.create_task(g())
        """
    )
    assert kinds(tasks.unregistered(code)) == [(4, "task")]


def test_imports_that_fail_deployed_are_found(tmp_path: Path) -> None:
    root = tmp_path / "src"
    root.mkdir()
    (root / "own.py").write_text("")
    code = source(
        """
        import fcntl
        import json, own, workers, asgi, nowhere_at_all
        from src.own import x
        import starlette.routing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import uvicorn
        try:
            import termios
        except ImportError:
            termios = None
        def later():
            import simsimd
        """
    )
    import sys

    dependencies = Dependencies(None, Path(sys.executable), tmp_path / "python_modules")
    found = sorted(imports.failing(code, imports.Known(root, dependencies)))
    assert kinds(found) == [(2, "module"), (4, "import"), (5, "package"), (14, "package")]
    assert "It comes from starlette, which is in Groundfog's own packages" in found[2].advice
