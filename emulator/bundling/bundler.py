"""Bundles one project, again and again: the work of wrangler's `bundleWorker`.

The first build makes a context in esbuild's service; later ones ask it to build again, and it reads
only the files that changed. A build first runs the project's own command, if there is one, then
finds out the format of the entry, a module or a service worker, then bundles it.
Source: docs/platform/bundling.md, "What wrangler tells esbuild".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from emulator.bundling import messages, node_builtins, unenv
from emulator.bundling.bundle import Bundle, BundleError
from emulator.bundling.contexts import Context, Node, make_context
from emulator.bundling.custom_build import BuildCommand
from emulator.bundling.entry import Entry, read_entry
from emulator.bundling.inputs import looked_for, tsconfigs
from emulator.bundling.node_polyfills import Find
from emulator.bundling.options import Format, build_request, bundling_flags
from emulator.bundling.packets import Value
from emulator.bundling.result import bundle_of
from emulator.bundling.rules import effective
from emulator.bundling.service import Message, Service
from emulator.bundling.tools import Tools
from emulator.bundling.unbundled import as_they_are, find_modules, module_root
from emulator.bundling.unenv import Polyfills
from emulator.config.model import Config

_NEEDS_MODULES = (
    "`find_additional_modules` can only be used with an ES module entrypoint.\n  Remove"
    " `find_additional_modules = true` from your configuration, or migrate to the ES module Worker"
    " format: https://developers.cloudflare.com/workers/learning/migrate-to-module-workers/"
)


def _ignore(line: str) -> None:
    return None


def watched(config: Config, inputs: frozenset[Path] = frozenset()) -> frozenset[Path]:
    """Return what is to be watched of a project whose bundle has these inputs.

    What the project's own command writes is left out: its folders decide when it runs, and a save
    would be followed by two builds.
    """
    found = {*inputs, config.main}
    if config.bundling.has_additional_modules:
        found.add(module_root(config))
    build = config.bundling.build
    if build is None:
        return frozenset(found)
    made = config.main.parent
    if not any(folder.is_relative_to(made) for folder in build.watched):
        found = {path for path in found if not path.is_relative_to(made)}
    return frozenset(found.union(build.watched))


def _without_links(config: Config) -> Config:
    """Return the configuration with real paths: esbuild names files by these."""
    base_dir = config.bundling.base_dir
    bundling = replace(config.bundling, base_dir=base_dir.resolve() if base_dir else None)
    main = config.main.resolve()
    return replace(config, project_dir=config.project_dir.resolve(), main=main, bundling=bundling)


class Bundler:
    """Bundles the project of `config`. Its esbuild runs from the first build to `close`.

    tell: gets each line that the project's own build command writes. cache: a file for what is the
    same at the next start; None: nothing is kept.
    """

    def __init__(
        self,
        config: Config,
        tools: Tools,
        process_env: Mapping[str, str] = os.environ,
        tell: Callable[[str], None] = _ignore,
        cache: Path | None = None,
    ) -> None:
        self._config = config = _without_links(config)
        self._tools = tools
        self._process_env = process_env
        self._cache = cache
        build = config.bundling.build
        self._command = BuildCommand(build, config.main, process_env, tell) if build else None
        self._rules = effective(config.bundling.rules)
        self._mode = node_builtins.mode_of(config.compatibility_date, config.compatibility_flags)
        self._lacking: tuple[str, ...] = ()  # a warning that polyfills are not there
        self._service: Service | None = None
        self._context: Context | None = None  # for the next build
        self._contexts: dict[int, Context] = {}
        self._is_interrupted = False
        self._keys = 0
        self._building = asyncio.Lock()

    @property
    def esbuild_pid(self) -> int | None:
        """Of esbuild, while it runs."""
        return None if self._service is None or self._service.has_ended else self._service.pid

    async def build(self) -> Bundle:
        """Return the bundle of the code as it is now. Raises BundleError."""
        async with self._building:
            try:
                bundle = await self._build()
            except BundleError as error:
                error.inputs = watched(self._config, error.inputs)
                raise
            return replace(bundle, inputs=watched(self._config, bundle.inputs))

    async def close(self) -> None:
        """End esbuild; another `build` would start it again."""
        if self._command is not None:
            await self._command.close()
        service, self._service = self._service, None
        self._context = None
        self._contexts.clear()
        if service is not None:
            await service.close()

    async def _build(self) -> Bundle:
        if self._command is not None:
            await self._command.run_if_needed()
        service = await self._running()
        entry = await read_entry(service, self._new_key(), self._config)
        if self._config.bundling.no_bundle:
            return as_they_are(self._config, self._rules, entry)
        return await self._bundled(service, entry)

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
        return await context.answer(request) if context is not None else {}

    async def _bundled(self, service: Service, entry: Entry) -> Bundle:
        context = await self._context_for(entry.format, service)
        context.collected.clear()
        context.warned.clear()
        if self._config.bundling.has_additional_modules:
            if entry.format == "iife":
                raise BundleError(_NEEDS_MODULES)
            find_modules(self._config, self._rules, context.collected)
        if self._is_interrupted:  # esbuild would answer with the build that was given up
            await service.ask({"command": "cancel", "key": context.key})
        self._is_interrupted = True
        await service.ask({"command": "rebuild", "key": context.key})
        self._is_interrupted = False
        errors = context.result["errors"]
        if errors:
            raise await self._failed(service, context.format, errors)
        warnings = (*self._rules.warnings, *self._lacking, *entry.warnings)
        return await bundle_of(context, service.ask, self._config, self._mode, warnings)

    async def _context_for(self, format: Format, service: Service) -> Context:
        """Return the context to build with; another format needs another one."""
        if self._context is not None and self._context.format == format:
            return self._context
        if self._context is not None:
            await service.ask({"command": "dispose", "key": self._context.key})
            del self._contexts[self._context.key]
            self._context = None
        context = await self._new_context(format, service)
        found = await service.ask(self._request(context, again=True))
        if found["errors"]:
            del self._contexts[context.key]
            shown = await messages.shown_messages(service.ask, found["errors"], are_warnings=False)
            raise BundleError(messages.joined(shown))
        self._context = context
        self._is_interrupted = False
        return context

    async def _new_context(self, format: Format, service: Service) -> Context:
        find = partial(self._find_polyfills, service)
        polyfills = await self._polyfills_at_once(find)
        node = Node(self._mode, self._tools.wrangler, polyfills, find)
        context = make_context(
            self._new_key(), format, service.ask, self._config, self._rules, node
        )
        self._contexts[context.key] = context
        return context

    async def _polyfills_at_once(self, find: Find) -> Polyfills | None:
        """Return the polyfills if workerd lacks modules at this date; a warning says if it must."""
        config = self._config
        self._lacking = ()
        if self._mode != "v2" or not unenv.needed_at_once(
            config.compatibility_date, config.compatibility_flags
        ):
            return None
        try:
            return await find()
        except unenv.NoPolyfills as reason:
            self._lacking = (unenv.warning(config.compatibility_date, reason),)
            return None

    async def _find_polyfills(self, service: Service) -> Polyfills:
        date, flags = self._config.compatibility_date, self._config.compatibility_flags
        key = self._new_key()
        return await unenv.find_polyfills(self._tools, date, flags, service.ask, key, self._cache)

    def _request(self, context: Context, *, again: bool) -> Message:
        flags = bundling_flags(
            self._config, context.format, self._process_env, self._tools.esbuild.version
        )
        flags += [f"--inject:{path}" for path in context.injected]
        return build_request(context.key, self._config, flags, context.hooks, again=again)

    async def _failed(self, service: Service, format: Format, errors: Value) -> BundleError:
        advised = messages.with_advice(errors, self._mode, self._config.project_dir)
        shown = await messages.shown_messages(service.ask, advised, are_warnings=False)
        folder = self._config.project_dir
        files = await self._read_files(service, format)
        for path, file in messages.unresolved(errors):
            files |= looked_for(path, folder / file, folder)
        files |= tsconfigs(files, self._config)
        file, line = next(messages.places(errors), ("", 0))
        return BundleError(messages.joined(shown), frozenset(files), file, line)

    async def _read_files(self, service: Service, format: Format) -> set[Path]:
        """Return the files of code that does not build; esbuild tells them as it reads them."""
        context = await self._new_context(format, service)
        files = {self._config.main}

        async def read(path: str) -> Message | None:
            files.add(Path(path))
            return None

        context.hooks.on_load(".*", read, "file")
        try:
            await service.ask(self._request(context, again=False))
        finally:
            del self._contexts[context.key]
        return files | context.collected.files
