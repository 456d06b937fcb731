"""The user's code on disk: which files matter to a worker, and which version of them it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from emulator.code_version import fingerprint
from emulator.config.model import Config

if TYPE_CHECKING:
    from emulator.bundling.bundle import Bundle
    from emulator.bundling.bundler import Bundler
    from emulator.bundling.tools import Tools

PYTHON_MODULES = "python_modules"


class UserCode(Protocol):
    """What the supervisor must know of the code in some language."""

    nothing_to_serve: str  # said of a main module, after its name

    def roots(self) -> Iterable[Path]:
        """Return the folders in which every file that matters is watched."""
        ...

    def files(self) -> Iterable[Path]:
        """Return single files that are watched too."""
        ...

    def version(self, env: str) -> str:
        """Return what is equal for equal code on disk and equal `env`. Raises OSError.

        "": only the guest knows.
        """
        ...

    async def close(self) -> None: ...


class PythonCode:
    """The folder of the main module, and vendored packages."""

    nothing_to_serve = "defines nothing to serve: no class Default(WorkerEntrypoint)."

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config

    def roots(self) -> tuple[Path, Path]:
        config = self._config()
        return config.main.parent, config.project_dir / PYTHON_MODULES

    def files(self) -> Iterable[Path]:
        return ()

    def version(self, env: str) -> str:
        return fingerprint(*self.roots(), env)

    async def close(self) -> None:
        """Nothing to release."""


class BundledCode:
    """Everything that the bundle of a TypeScript or JavaScript worker is made of."""

    nothing_to_serve = "exports nothing to serve: no default export and no class of a workflow."

    def __init__(
        self,
        config: Callable[[], Config],
        tools: Tools,
        tell: Callable[[str], None],
        cache: Path,
    ) -> None:
        """tell, cache: see `Bundler`."""
        self._config = config
        self._tools = tools
        self._tell = tell
        self._cache = cache
        self._bundler: Bundler | None = None
        self._built_for: Config | None = None
        self._inputs: frozenset[Path] | None = None  # None: nothing was built

    def roots(self) -> Iterable[Path]:
        return [path for path in self._watched() if path.is_dir()]

    def files(self) -> Iterable[Path]:
        return [path for path in self._watched() if not path.is_dir()]

    def _watched(self) -> frozenset[Path]:
        from emulator.bundling.bundler import watched

        return watched(self._config()) if self._inputs is None else self._inputs

    def version(self, env: str) -> str:
        return ""

    async def build(self) -> Bundle:
        """Return the bundle of the code as it is now. Raises BundleError."""
        from emulator.bundling.bundle import BundleError
        from emulator.bundling.bundler import Bundler

        config = self._config()
        if self._bundler is None or config != self._built_for:
            await self.close()
            self._bundler = Bundler(config, self._tools, os.environ, self._tell, self._cache)
            self._built_for = config
        try:
            bundle = await self._bundler.build()
        except BundleError as error:
            self._inputs = error.inputs
            raise
        self._inputs = bundle.inputs
        return bundle

    async def close(self) -> None:
        if self._bundler is not None:
            await self._bundler.close()
            self._bundler = None
