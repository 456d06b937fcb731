"""All rules on one project: its sources, its packages, its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.config.model import Config
from emulator.deployability import calls, files, handlers, imports, loading, tasks
from emulator.deployability.source import Source
from emulator.errors import UsageError
from emulator.findings import Finding, Severity
from emulator.guest.python.pyodide_lacks import READ_ON, SOCKETS_FLAGS, builds
from emulator.packages.declared import Declared, find, read
from emulator.packages.dependencies import Dependencies

PYTHON_MODULES = "python_modules"
_SKIPPED = frozenset({PYTHON_MODULES, "node_modules", ".venv", ".venv-workers", "__pycache__"})
_PYTHON_3_13, _PYTHON_3_14, _WORKFLOWS = "2025-09-29", "2026-09-08", "2025-09-20"
_FLAGS_3_14 = frozenset(SOCKETS_FLAGS)
_FLAGS_3_13 = _FLAGS_3_14 | {"python_workers_20250116"}
_NAMES_3_13 = ("pyodide.ffi.run_sync", "pyodide.ffi.can_run_sync", "pyodide.ffi.jsnull")


def findings(config: Config, interpreter: Path) -> list[Finding]:
    """Return what works here and breaks deployed. Raises UsageError for unreadable sources."""
    sources = read_sources(config)
    path = find(config.project_dir)
    declared = read(path) if path is not None else None
    dependencies = Dependencies(declared, interpreter, config.project_dir / PYTHON_MODULES)
    known = imports.Known(config.main.parent, dependencies)
    has_314 = _has(config, _PYTHON_3_14, _FLAGS_3_14)
    found: list[Finding] = [*_of_project(config, sources)]
    for source in sources:
        found += imports.failing(source, known)
        found += calls.lacking(source, has_314)
        found += loading.at_import(source)
        found += handlers.wrong_arity(source)
        found += handlers.not_crossing(source)
        found += tasks.unregistered(source)
    found += files.not_bundled(sources, config.main.parent, config.bundling.rules)
    if declared is not None:
        found += _without_builds(declared, dependencies, has_314)
    return sorted(set(found))


def read_sources(config: Config) -> list[Source]:
    """Return the modules beside main. Raises UsageError when one cannot be read."""
    root = config.main.parent
    return [
        _read(path)
        for path in sorted(root.rglob("*.py"))
        if not any(part in _SKIPPED for part in path.relative_to(root).parts)
    ]


def _read(path: Path) -> Source:
    try:
        return Source.parsed(path, path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UsageError(f"{path}:{error.lineno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error}") from None


def _of_project(config: Config, sources: Sequence[Source]) -> Iterator[Finding]:
    folder, wrangler = config.project_dir, config.path
    for name in ("requirements.txt", "cf-requirements.txt"):
        if (folder / name).is_file():
            advice = "pywrangler refuses it. Name the packages in pyproject.toml instead."
            yield Finding(folder / name, 0, "requirements", f"{name} is there", advice)
    inside = config.main.parent / PYTHON_MODULES
    if inside.is_dir() and config.main.parent != folder:
        advice = "wrangler refuses this. It belongs beside the configuration."
        text = f"{PYTHON_MODULES} is in the folder of main"
        yield Finding(inside, 0, "requirements", text, advice, Severity.ERROR)
    if not _has(config, _PYTHON_3_13, _FLAGS_3_13):
        for source in sources:
            yield from _newer_names(source)
    if not _has(config, _WORKFLOWS, {"python_workflows"}):
        bases = {base for source in sources for base, _ in source.entrypoints()}
        if "WorkflowEntrypoint" in bases:
            advice = 'Add "python_workflows" to compatibility_flags, or take a newer date.'
            text = "the worker has a workflow, and its date is before 2025-09-20"
            yield Finding(wrangler, 0, "flag", text, advice, Severity.ERROR)


def _newer_names(source: Source) -> Iterator[Finding]:
    for name in sorted(set(source.imports.values()) & set(_NAMES_3_13)):
        advice = (
            "Python 3.12 workers lack it. Take a compatibility_date from 2025-09-29 on, or add "
            '"python_workers_20250116" to compatibility_flags.'
        )
        yield Finding(source.path, 1, "flag", f"{name} is imported", advice, Severity.ERROR)


def _without_builds(
    declared: Declared, dependencies: Dependencies, has_314: bool
) -> Iterator[Finding]:
    for name, requirement in dependencies.compiled():
        if name not in builds(has_314):
            version = "314 (Python 3.14)" if has_314 else "0.28 (Python 3.13)"
            yield Finding(
                declared.path,
                _line_of(declared.path, requirement),
                "no-build",
                f"{requirement} needs {name}, which has binaries",
                f"Pyodide {version} had no build of it on {READ_ON}. It can be deployed only if "
                "PyPI has one for Pyodide.",
            )


def _line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if text in line), 0)


def _has(config: Config, date: str, flags: frozenset[str] | set[str]) -> bool:
    given = set(config.compatibility_flags)
    refused = {f"{word}_{flag}" for flag in flags for word in ("no", "disable")}
    return bool(given & flags) or (config.compatibility_date >= date and not given & refused)
