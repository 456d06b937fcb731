"""Imports that fail deployed: modules that Pyodide lacks, and packages that nobody declared."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from emulator.deployability.source import Source
from emulator.findings import Finding
from emulator.guest.python.pyodide_lacks import MODULES
from emulator.packages.dependencies import Dependencies
from emulator.python_source import is_for_types_only

_OURS = frozenset("workers js pyodide _pyodide asgi wsgi _cloudflare_compat_flags".split())
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")


class Known(Struct, frozen=True):
    """What imports may name: the worker's own folder, and what its packages bring."""

    root: Path
    dependencies: Dependencies


def failing(source: Source, known: Known) -> Iterator[Finding]:
    """Yield the imports that fail when deployed. One that an `except` catches is left out."""
    for node, name in _imported(source.tree):
        top = name.partition(".")[0]
        if top == known.root.name and not _is_own(known.root, top):
            advice = f"The folder of main is where imports begin. Write it without {top!r}."
            yield source.error(node, "import", f"{name} is imported", advice)
        elif top in MODULES:
            advice = "Deployed, there is no such module."
            yield source.warning(node, "module", f"{name} is imported", advice)
        elif not (top in sys.stdlib_module_names or top in _OURS or _is_own(known.root, top)):
            yield from _of_package(source, node, top, known.dependencies)


def _of_package(
    source: Source, node: ast.AST, top: str, dependencies: Dependencies
) -> Iterator[Finding]:
    owners = dependencies.owners(top)
    if not owners or owners & dependencies.deployed:
        return  # what is not installed is told when it is imported
    owner = min(owners)
    place = "Groundfog's own packages" if dependencies.are_ours else "this Python"
    where = (
        f"It comes from {owner}, which is in {place} and not deployed: "
        f"add it to the dependencies in pyproject.toml."
    )
    yield source.warning(node, "package", f"{top} is imported", where)


def _imported(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield the import statements that are not guarded, with the module that each names."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Import():
                yield from ((node, alias.name) for alias in node.names)
            case ast.ImportFrom(module=str(name), level=0):
                yield node, name
            case ast.If(test=test) if is_for_types_only(test):
                waiting += node.orelse
                continue
            case ast.Try() if any(_catches(each) for each in node.handlers):
                waiting += [*node.orelse, *node.finalbody]
                continue
            case _:
                pass
        waiting += ast.iter_child_nodes(node)


def _catches(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or any(name in ast.unparse(handler.type) for name in _IMPORT_ERRORS)


def _is_own(root: Path, top: str) -> bool:
    return (root / f"{top}.py").is_file() or (root / top).is_dir()
