"""What the SDK changes in packages of others when they are imported.

Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/_workers_sdk_package_patches.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class PatchedModules:
    """Finds the modules that are changed, as others find them, and changes them once imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is changed."""
        change = _CHANGES.get(fullname)
        if change is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            _change_after(spec.loader, change)
        return spec


def _change_after(loader: Any, change: Callable[[ModuleType], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        change(module)

    loader.exec_module = exec_module


def _anyio_to_thread(module: Any) -> None:
    """There is one thread: what is to run in another one runs at once."""

    async def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return func(*args)

    module.run_sync = run_sync


def _pytest_config(module: Any) -> None:
    """Our own plugin tests workers from outside; where user code runs pytest, there is none."""
    make = module.PytestPluginManager.__init__

    def made(self: Any, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        self.set_blocked("groundfog")

    module.PytestPluginManager.__init__ = made


_CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "_pytest.config": _pytest_config,
    "anyio.to_thread": _anyio_to_thread,
}
