"""How a guest's imports find things: our public modules first, the user's folder, the rest.

Bytecode of the user's modules is neither read nor written: a .pyc is matched to its source by a
time in whole seconds, and two saves within one second are normal here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from . import packages
from .package_patches import PatchedModules
from .sdk import absent, pyodide, workers
from .sdk.pyodide import ffi, http, webloop, wrappers
from .sdk.workers import (
    asgi,
    blob,
    entrypoints,
    formdata,
    gateway,
    headers,
    outbound,
    request,
    response,
    rpc,
    types,
    utils,
    workflows,
    wsgi,
)

# What users import -> our module. These have priority over python_modules and the user's own.
PUBLIC: dict[str, ModuleType] = {
    "pyodide": pyodide,
    "pyodide.ffi": ffi,
    "pyodide.ffi.wrappers": wrappers,
    "pyodide.http": http,
    "pyodide.webloop": webloop,
    "workers": workers,
    "workers.asgi": asgi,
    "workers.blob": blob,
    "workers.entrypoints": entrypoints,
    "workers.fetch": outbound,
    "workers.formdata": formdata,
    "workers.gateway": gateway,
    "workers.headers": headers,
    "workers.request": request,
    "workers.response": response,
    "workers.rpc": rpc,
    "workers.types": types,
    "workers.utils": utils,
    "workers.workflows": workflows,
    "workers.wsgi": wsgi,
}
for _name, _module in PUBLIC.items():
    absent.speak_for(_module, _name)
NAMES = frozenset({*PUBLIC, "js"})  # of all our modules; `js` is imported when it is used
OTHER_NAMES = {"asgi": lambda: asgi}
COMPAT_FLAGS = "_cloudflare_compat_flags"


class FreshLoader(SourceFileLoader):
    """Compiles from source every time."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def public_js() -> ModuleType:
    """Return our `js`. It is imported with the first use: it is large, and most workers have none.

    So is `importlib.abc` for all of us, whose classes our finders would otherwise name.
    """
    from .sdk import js

    absent.speak_for(js, "js")
    return js


class OurModules:
    """Finds modules of ours by the names that users import, and gets each when it is imported."""

    def __init__(self, modules: Mapping[str, Callable[[], ModuleType]]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of one of ours."""
        loader: Any = self
        return ModuleSpec(fullname, loader) if fullname in self._modules else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an empty one."""

    def exec_module(self, module: ModuleType) -> None:
        """Put ours in its place."""
        sys.modules[module.__name__] = self._modules[module.__name__]()


def prepare(module_root: Path, python_modules: Path, flags: dict[str, bool]) -> None:
    """Set up importing for user code in `module_root`."""
    sys.modules.update(PUBLIC)
    compat = ModuleType(COMPAT_FLAGS)
    compat.__dict__.update(flags)
    sys.modules[COMPAT_FLAGS] = compat
    sys.meta_path.insert(0, absent.AbsentModules(packages=("js", "pyodide", "workers")))
    sys.meta_path.insert(0, PatchedModules())
    sys.meta_path.insert(0, OurModules({"js": public_js}))
    sys.meta_path.append(OurModules(OTHER_NAMES))
    sys.meta_path.append(absent.AbsentModules(absent.TOP_LEVEL))
    sys.path_hooks.insert(0, _fresh_hook(module_root, python_modules))
    elsewhere = packages.for_webassembly(python_modules)
    if elsewhere:
        sys.path_hooks.insert(0, packages.hook(python_modules, elsewhere))
    sys.path_importer_cache.clear()
    sys.path.insert(0, str(module_root))
    if python_modules.is_dir():
        sys.path.insert(_before_site_packages(), str(python_modules))
    _forget_shadowed(module_root)


def _fresh_hook(module_root: Path, python_modules: Path) -> Callable[[str], FileFinder]:
    loaders = (ExtensionFileLoader, EXTENSION_SUFFIXES), (FreshLoader, SOURCE_SUFFIXES)

    def hook(folder: str) -> FileFinder:
        path = Path(folder)
        if not path.is_relative_to(module_root) or path.is_relative_to(python_modules):
            raise ImportError(f"{folder} is not the user's")
        return FileFinder(folder, *loaders)

    return hook


def _before_site_packages() -> int:
    for index, folder in enumerate(sys.path):
        if Path(folder).name in ("site-packages", "dist-packages"):
            return index
    return len(sys.path)


def _forget_shadowed(module_root: Path) -> None:
    """Forget what the forkserver imported under names of the user's own modules.

    `src/queue.py` shadows the standard library's `queue` for user code, as in any Python program;
    what imported the original before keeps it.
    """
    for entry in module_root.iterdir():
        name = entry.stem if entry.suffix == ".py" else entry.name
        if name in NAMES or name in sys.builtin_module_names or name.startswith("_"):
            continue
        if name in sys.modules and (entry.suffix == ".py" or (entry / "__init__.py").exists()):
            for loaded in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
                del sys.modules[loaded]
