"""esbuild ends with the program that started it, whatever ends that program."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.bundling.conftest import Project
from tests.typescript.projects import is_alive
from tests.waiting import DEADLINE_S, eventually

# Builds once; then builds again, and never answers what esbuild asks.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from emulator.bundling import hooks
from emulator.bundling.bundler import Bundler
from emulator.bundling.tools import find_tools
from emulator.config.load import load_config

async def never(self, request):
    print(bundler.esbuild_pid, flush=True)
    await asyncio.Event().wait()

async def main():
    await bundler.build()
    hooks.Hooks.answer = never
    await bundler.build()

config = load_config(Path(sys.argv[1]), process_env={})
bundler = Bundler(config, find_tools(Path(os.environ["GROUNDFOG_WRANGLER"]), {}))
asyncio.run(main())
"""


def test_a_killed_host_takes_esbuild_along_in_the_middle_of_a_build(project: Project) -> None:
    project.write({"src/index.ts": "import 'node:fs'; export default {}"})
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, project.folder],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as said:
        esbuild = int(said.readline())
        assert is_alive(esbuild)

        process.kill()

        eventually(lambda: not is_alive(esbuild))


def test_a_program_that_fails_without_closing_its_bundler_ends(project: Project) -> None:
    project.write({"src/index.ts": "export default {}"})
    program = PROGRAM.replace("hooks.Hooks.answer = never", "raise SystemExit(3)")

    result = subprocess.run(
        [sys.executable, "-c", program, project.folder],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        timeout=DEADLINE_S,
        check=False,
    )

    assert result.returncode == 3
