"""Projects to bundle, with the real esbuild."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.bundling.bundle import Bundle
from emulator.bundling.bundler import Bundler
from emulator.bundling.tools import Tools, find_tools
from emulator.config.load import load_config
from emulator.config.model import Config
from tests.end_to_end.wrangler import wrangler_folder

# (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
ADD = bytes.fromhex(
    "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b"
)


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The esbuild and workerd that were installed with wrangler."""
    return find_tools(wrangler_folder(), {})


class Project:
    """A folder with a TypeScript worker. What it does not say is what a template says."""

    def __init__(self, folder: Path, tools: Tools) -> None:
        self.folder = folder
        self._tools = tools

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def configure(self, lines: str = "", date: str = "2026-08-21") -> None:
        """Write a wrangler.toml; `lines` come before any table."""
        main = "" if "main" in lines else 'main = "src/index.ts"'
        head = f'name = "w"\n{main}\ncompatibility_date = "{date}"\n'
        self.write({"wrangler.toml": head + lines})

    def config(self, **process_env: str) -> Config:
        return load_config(self.folder, process_env=process_env)

    def bundler(
        self,
        tell: Callable[[str], None] = print,
        tools: Tools | None = None,
        /,
        **process_env: str,
    ) -> Bundler:
        process_env = {"PATH": os.environ["PATH"], **process_env}
        return Bundler(self.config(**process_env), tools or self._tools, process_env, tell)

    def build(self, tools: Tools | None = None, /, **process_env: str) -> Bundle:
        async def build() -> Bundle:
            bundler = self.bundler(print, tools, **process_env)
            try:
                return await bundler.build()
            finally:
                await bundler.close()

        return asyncio.run(build())


@pytest.fixture
def project(tmp_path: Path, tools: Tools) -> Project:
    made = Project(tmp_path, tools)
    made.configure()
    return made
