"""One module of a worker, parsed, as the rules read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from emulator.findings import Finding, Severity
from emulator.python_source import full_name, imports_of

_ENTRYPOINTS = frozenset({"WorkerEntrypoint", "DurableObject", "WorkflowEntrypoint"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(Struct, frozen=True):
    """A module: its file, its syntax tree, what each imported name stands for, its text."""

    path: Path
    tree: ast.Module
    imports: dict[str, str]
    text: str

    @classmethod
    def parsed(cls, path: Path, text: str) -> Source:
        """Return a module's source. Raises SyntaxError."""
        tree = ast.parse(text)
        return cls(path, tree, imports_of(tree), text)

    def name(self, node: ast.expr) -> str:
        """Return the full name of what an expression names, or ""."""
        return full_name(node, self.imports)

    def warning(self, node: ast.AST, kind: str, text: str, advice: str) -> Finding:
        """Return a finding at a node: it may fail."""
        return Finding(self.path, getattr(node, "lineno", 0), kind, text, advice)

    def error(self, node: ast.AST, kind: str, text: str, advice: str) -> Finding:
        """Return a finding at a node: it fails."""
        line = getattr(node, "lineno", 0)
        return Finding(self.path, line, kind, text, advice, Severity.ERROR)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Yield each call with the full name of what it calls, "" if that is not a name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield self.name(node.func), node

    def entrypoints(self) -> Iterator[tuple[str, ast.ClassDef]]:
        """Yield each class that Workers knows, with the name of the SDK's class that it extends."""
        classes = {
            node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)
        }
        for cls in classes.values():
            if base := _base(cls, classes, frozenset()):
                yield base, cls


def methods(cls: ast.ClassDef) -> Iterator[_Function]:
    """Yield the methods of a class that get `self`."""
    for node in cls.body:
        if isinstance(node, _Function):
            decorators = {ast.unparse(each) for each in node.decorator_list}
            if not decorators & {"staticmethod", "classmethod", "property"}:
                yield node


def _base(cls: ast.ClassDef, classes: dict[str, ast.ClassDef], seen: frozenset[str]) -> str:
    """Return which class of the SDK a class extends, directly or not; "" if none."""
    for base in cls.bases:
        name = ast.unparse(base).rpartition(".")[2]
        if name in _ENTRYPOINTS:
            return name
        above = classes.get(name)
        if above is not None and name not in seen:
            if found := _base(above, classes, seen | {name}):
                return found
    return ""
