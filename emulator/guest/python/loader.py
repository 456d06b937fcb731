"""Imports the user's main module and finds what it exports.

Source: docs/platform/python-workers.md, "Loading".
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from ...protocol.loading import PROTOCOL_VERSION, Load, Loaded, LoadFailed
from . import (
    arity,
    chance,
    deployed,
    flags,
    imports,
    lacking,
    load_checks,
    packages,
    tracebacks,
)
from .env import _EnvWrapper
from .global_handlers import entrypoint_of
from .load_checks import PYTHON_MODULES
from .sdk.workers.entrypoints import BASES, DurableObject, WorkerEntrypoint, WorkflowEntrypoint
from .sdk.workers.utils import set_env

_OLD_HANDLERS = (
    "handlers that are functions, such as on_fetch, are called at compatibility dates before"
    " 2025-08-14 only. Write class Default(WorkerEntrypoint) with async def fetch(self, request)."
)


@dataclass(slots=True)
class Worker:
    """One generation of user code, imported."""

    env: _EnvWrapper
    module_root: Path
    project_dir: Path
    flags: dict[str, bool]
    entrypoints: dict[str, type] = field(default_factory=dict)
    workflows: dict[str, type] = field(default_factory=dict)
    classes: dict[str, type] = field(default_factory=dict)
    objects: dict[str, type] = field(default_factory=dict)
    exports: Any = None  # what `ctx.exports` is, where there is one

    def position(self, cls: type) -> str:
        """Return where a class is defined: `"src/entry.py:12"`, the file alone, or ""."""
        try:
            file = inspect.getsourcefile(cls) or ""
        except TypeError:
            return ""
        try:
            return f"{self.shown(file)}:{inspect.getsourcelines(cls)[1]}"
        except (
            OSError,
            TypeError,
            SyntaxError,
        ):  # the file may have changed since
            return self.shown(file)

    def shown(self, file: str) -> str:
        """Return a path as it is shown: relative to the project where it is inside."""
        return shown_path(file, str(self.project_dir))

    def loaded(self) -> Loaded:
        """Return the report for the host."""
        return Loaded(
            {name: self.position(cls) for name, cls in self.entrypoints.items()},
            {name: self.position(cls) for name, cls in self.workflows.items()},
            {name: self.position(cls) for name, cls in self.classes.items()},
            free_steps=True,
            protocol=PROTOCOL_VERSION,
            objects={name: self.position(cls) for name, cls in self.objects.items()},
        )


def load(message: Load, env: _EnvWrapper) -> Worker | LoadFailed:
    """Import the main module; return the worker, or the report of what it raised."""
    project_dir = Path(message.project_dir)
    main = Path(project_dir, message.main)
    compat = flags.resolve(message.compatibility_date, message.compatibility_flags)
    flags.use(compat)
    try:
        os.chdir(project_dir)
    except OSError as error:
        return _no_folder(project_dir, error)
    set_env(env)
    imports.prepare(main.parent, project_dir / PYTHON_MODULES, compat)
    lacking.watch(str(project_dir), str(main.parent), compat, message.deployed_files)
    worker = Worker(env, main.parent, project_dir, compat)
    try:
        with chance.watched(str(project_dir)):
            module = _import_main(main, project_dir / PYTHON_MODULES)
        _discover(module, worker)
    except BaseException as error:  # any error of the import, SystemExit too, is the answer
        return _failure(error, worker)
    load_checks.check(project_dir, main.parent, compat, bool(worker.workflows))
    return worker


@functools.lru_cache(maxsize=1024)  # each step asks for one
def shown_path(file: str, project_dir: str) -> str:
    """Return `file` relative to the project, with forward slashes, where it is inside."""
    path = Path(file)
    return path.relative_to(project_dir).as_posix() if path.is_relative_to(project_dir) else file


def _import_main(main: Path, python_modules: Path) -> ModuleType:
    name = main.stem
    loader = imports.FreshLoader(name, str(main))
    spec = spec_from_file_location(name, main, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    if name not in imports.NAMES:
        sys.modules[name] = module
    spec._initializing = True  # type: ignore[attr-defined]  # so that a circular import is named one
    try:
        loader.exec_module(module)
    except ModuleNotFoundError as error:
        folder = main.parent.name
        if error.name in (folder, "src") or (error.name or "").startswith((f"{folder}.", "src.")):
            error.add_note(
                f"If your main module is inside the '{folder}' directory then your import "
                f"statement shouldn't include a '{folder}.' prefix"
            )
        elif hint := packages.hint(error, python_modules):
            error.add_note(hint)
        raise
    finally:
        spec._initializing = False  # type: ignore[attr-defined]
    return module


def _discover(module: ModuleType, worker: Worker) -> None:
    """Sort the module's classes: imported ones count, each goes by its own `__name__`."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    for name in names:
        cls = getattr(module, name, None)
        if not isinstance(cls, type) or cls in BASES:
            continue
        if issubclass(cls, WorkerEntrypoint):
            worker.entrypoints[cls.__name__] = cls
            arity.check(cls, worker.shown)
        elif issubclass(cls, WorkflowEntrypoint):
            worker.workflows[cls.__name__] = cls
        elif issubclass(cls, DurableObject):
            worker.objects[cls.__name__] = cls
        elif cls.__module__ == module.__name__:
            worker.classes[cls.__name__] = cls
    cls = entrypoint_of(module)
    if worker.flags.get(flags.NO_GLOBAL_HANDLERS):
        if cls is not None and not worker.entrypoints:
            deployed.warn(_OLD_HANDLERS, worker.shown(str(module.__file__)))
    else:
        if cls is not None and worker.entrypoints.setdefault("Default", cls) is not cls:
            raise TypeError("Cannot define multiple default entrypoints")


def _no_folder(project_dir: Path, error: OSError) -> LoadFailed:
    reason = error.strerror or str(error)
    text = (
        f"{project_dir}: the project's folder cannot be entered ({reason}). Put it back, and start"
        " Groundfog again."
    )
    return LoadFailed(type(error).__name__, text, text)


def _failure(error: BaseException, worker: Worker) -> LoadFailed:
    file, line = tracebacks.where_raised(error)
    return LoadFailed(
        tracebacks.error_name(error),
        tracebacks.error_message(error),
        tracebacks.format_error(error),
        worker.shown(file),
        line,
    )
