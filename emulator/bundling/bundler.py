"""Bundles one project, again and again: the work of wrangler's `bundleWorker`.

The first build makes a context in esbuild's service; later ones ask it to build again, and it reads
only the files that changed. A build first finds out the format of the entry, a module or a service
worker, then bundles it.
Source: docs/platform/bundling.md, "What wrangler tells esbuild".
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.bundling import aliases, messages, module_rules, node_builtins
from emulator.bundling.bundle import MAIN, Bundle, BundleError, Module
from emulator.bundling.entry import Entry, read_entry
from emulator.bundling.hooks import Hooks
from emulator.bundling.inputs import absolute, looked_for, tsconfigs
from emulator.bundling.module_rules import Collected
from emulator.bundling.options import Format, build_request, bundling_flags
from emulator.bundling.packets import Value
from emulator.bundling.service import Message, Service
from emulator.bundling.tools import Tools
from emulator.config.model import Config


@dataclass(slots=True)
class _Context:
    """What esbuild keeps between builds of one format, and what the last build told."""

    key: int
    format: Format
    hooks: Hooks
    collected: Collected
    warned: dict[str, list[str]] = field(default_factory=dict)  # builtins that may be missing
    result: Message = field(default_factory=dict)


class Bundler:
    """Bundles the project of `config`. Its esbuild runs from the first build to `close`."""

    def __init__(
        self, config: Config, tools: Tools, process_env: Mapping[str, str] = os.environ
    ) -> None:
        self._config = config
        self._tools = tools
        self._process_env = process_env
        self._rules = module_rules.effective(config.bundling.rules)
        self._mode = node_builtins.mode_of(config.compatibility_date, config.compatibility_flags)
        self._service: Service | None = None
        self._context: _Context | None = None
        self._contexts: dict[int, _Context] = {}
        self._keys = 0
        self._building = asyncio.Lock()

    @property
    def esbuild_pid(self) -> int | None:
        """Of esbuild, while it runs."""
        return None if self._service is None or self._service.has_ended else self._service.pid

    async def build(self) -> Bundle:
        """Return the bundle of the code as it is now. Raises BundleError."""
        async with self._building:
            service = await self._running()
            entry = await read_entry(service, self._new_key(), self._config)
            context = await self._context_for(entry.format, service)
            context.collected.clear()
            context.warned.clear()
            await service.ask({"command": "rebuild", "key": context.key})
            result = context.result
            if result["errors"]:
                raise await self._failed(service, context.format, result["errors"])
            return await self._bundle(service, entry, context)

    async def close(self) -> None:
        """End esbuild; another `build` would start it again."""
        service, self._service = self._service, None
        self._context = None
        self._contexts.clear()
        if service is not None:
            await service.close()

    async def _running(self) -> Service:
        if self._service is None or self._service.has_ended:
            await self.close()
            self._service = await Service.start(
                self._tools.esbuild, self._config.project_dir, self._answer
            )
        return self._service

    def _new_key(self) -> int:
        self._keys += 1
        return self._keys

    async def _answer(self, request: Message) -> Message:
        key = request.get("key")
        context = self._contexts.get(key) if isinstance(key, int) else None
        if context is None:
            return {}
        if request["command"] == "on-end":
            context.result = request
        if request["command"] in ("on-start", "on-end"):
            return {"errors": [], "warnings": []}
        return await context.hooks.answer(request)

    async def _context_for(self, format: Format, service: Service) -> _Context:
        """Return the context to build with; another format needs another one."""
        if self._context is not None and self._context.format == format:
            return self._context
        if self._context is not None:
            await service.ask({"command": "dispose", "key": self._context.key})
            del self._contexts[self._context.key]
        context = self._context = self._new_context(format, service)
        flags = bundling_flags(self._config, format, self._process_env)
        found = await service.ask(
            build_request(context.key, self._config, flags, context.hooks, again=True)
        )
        if found["errors"]:
            self._context = None
            shown = await messages.shown_messages(service.ask, found["errors"], are_warnings=False)
            raise BundleError(messages.joined(shown), frozenset({self._config.main}))
        return context

    def _new_context(self, format: Format, service: Service) -> _Context:
        key = self._new_key()
        hooks, collected = Hooks(service.ask, key), Collected()
        context = _Context(key, format, hooks, collected)
        bundling = self._config.bundling
        aliases.add_hooks(hooks, bundling.alias, self._config.project_dir)
        module_rules.add_hooks(hooks, self._rules, collected, None, bundling.preserve_file_names)
        node_builtins.add_hooks(hooks, self._mode, context.warned)
        self._contexts[key] = context
        return context

    async def _bundle(self, service: Service, entry: Entry, context: _Context) -> Bundle:
        result = context.result
        outputs = {Path(path).suffix: content for path, content in _outputs(result)}
        metafile = json.loads(_bytes(result["metafile"]))
        warnings = [entry.warning] if entry.warning else []
        warnings += self._rules.warnings
        warnings += await messages.shown_messages(
            service.ask, result["warnings"], are_warnings=True
        )
        if self._mode in ("none", "als"):
            warnings += [
                node_builtins.warning(path, importers)
                for path, importers in sorted(context.warned.items())
            ]
        files = absolute(metafile["inputs"], self._config.project_dir)
        return Bundle(
            MAIN,
            (Module(MAIN, "esm", outputs[".js"]), *context.collected.modules.values()),
            outputs[".map"],
            frozenset(files | context.collected.files | self._settings_files(files)),
            entry.format == "iife",
            tuple(warnings),
        )

    async def _failed(self, service: Service, format: Format, errors: Value) -> BundleError:
        advised = messages.with_advice(errors, self._mode)
        shown = await messages.shown_messages(service.ask, advised, are_warnings=False)
        folder = self._config.project_dir
        files = await self._read_files(service, format)
        for path, file in messages.unresolved(errors):
            files |= looked_for(path, folder / file, folder)
        files |= self._settings_files(files)
        return BundleError(messages.joined(shown), frozenset(files))

    async def _read_files(self, service: Service, format: Format) -> set[Path]:
        """Return the files of code that does not build; esbuild tells them as it reads them."""
        context = self._new_context(format, service)
        files = {self._config.main}

        async def read(path: str) -> Message | None:
            files.add(Path(path))
            return None

        context.hooks.on_load(".*", read, "file")
        flags = bundling_flags(self._config, format, self._process_env)
        try:
            await service.ask(build_request(context.key, self._config, flags, context.hooks))
        finally:
            del self._contexts[context.key]
        return files | context.collected.files

    def _settings_files(self, files: set[Path]) -> set[Path]:
        given = self._config.bundling.tsconfig
        return tsconfigs(files, given) | {self._config.project_dir / "tsconfig.json"}


def _outputs(result: Message) -> list[tuple[str, bytes]]:
    files = result["outputFiles"]
    assert isinstance(files, list)
    found: list[dict[str, Any]] = [file for file in files if isinstance(file, dict)]
    return [(file["path"], _bytes(file["contents"])) for file in found]


def _bytes(value: Value) -> bytes:
    assert isinstance(value, str | bytes)
    return value.encode() if isinstance(value, str) else value
