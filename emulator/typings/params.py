"""The type of a workflow's params: what its `run` says of its event, `WorkflowEvent[Order]`."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Params:
    """A type as it is written, and the import statements that its names need."""

    text: str
    imports: tuple[str, ...]


def params_of(main: Path, class_name: str) -> Params | None:
    """Return the type of the params of a workflow; None if it cannot be told.

    The class is in the main module, or in another one of its folder that the main module imports
    it from.
    """
    tree = _parsed(main)
    for path, name in _places(tree, main, class_name) if tree is not None else ():
        module = _parsed(path)
        found = _annotation(module, name) if module is not None else None
        if module is not None and found is not None:
            return Params(ast.unparse(found), tuple(_imports(found, module, path.stem)))
    return None


def _places(tree: ast.Module, main: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield main, name
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                path = main.parent.joinpath(*node.module.split(".")).with_suffix(".py")
                if (alias.asname or alias.name) == name and path.is_file():
                    yield path, alias.name


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None  # what is wrong with it is told when it is run


def _annotation(module: ast.Module, class_name: str) -> ast.expr | None:
    """Return X of `async def run(self, event: WorkflowEvent[X], step)` in a class."""
    for cls in module.body:
        if isinstance(cls, ast.ClassDef) and cls.name == class_name:
            for method in cls.body:
                if isinstance(method, _Function) and method.name == "run":
                    given = [*method.args.posonlyargs, *method.args.args][1:2]
                    return _params(given[0].annotation) if given else None
    return None


def _params(annotation: ast.expr | None) -> ast.expr | None:
    match annotation:
        case ast.Constant(value=str(text)):
            try:
                return _params(ast.parse(text, mode="eval").body)
            except SyntaxError:
                return None
        case ast.Subscript(value=ast.Name() | ast.Attribute() as event, slice=params):
            return params if ast.unparse(event).endswith("WorkflowEvent") else None
        case _:
            return None


def _imports(annotation: ast.expr, module: ast.Module, name: str) -> Iterator[str]:
    """Yield the statements that import what an annotation names, from where its module has it."""
    used = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                shown = alias.asname or alias.name.partition(".")[0]
                if shown in used:
                    used.discard(shown)
                    yield ast.unparse(_only(node, alias))
    own = sorted(used - set(dir(builtins)))
    if own:
        yield f"from {name} import {', '.join(own)}"


def _only(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)
