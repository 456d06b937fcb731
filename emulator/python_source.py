"""The source of a Python module as checks read it: never run, with imports resolved."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def imports_of(module: ast.AST) -> dict[str, str]:
    """Return what each imported name stands for: `{"now": "datetime.datetime.now"}`.

    Imports inside of functions count too. Relative ones are left out.
    """
    names: dict[str, str] = {}
    for node in ast.walk(module):
        match node:
            case ast.Import():
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            case ast.ImportFrom(module=str(base), level=0):
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{base}.{alias.name}"
            case _:
                pass
    return names


def full_name(node: ast.expr, imports: dict[str, str]) -> str:
    """Return the dotted name of an expression, with imports resolved; "" if it is not a name.

    `datetime.now` after `from datetime import datetime` -> `"datetime.datetime.now"`.
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([imports.get(node.id, node.id), *parts])


def is_for_types_only(test: ast.expr) -> bool:
    """Whether the condition of an `if` is `TYPE_CHECKING`."""
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def executed_when_loaded(module: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that are executed when the module is loaded: what is in no function.

    Decorators and defaults of functions are executed then; what is under `if TYPE_CHECKING` and
    `if __name__ == "__main__"` is not.
    """
    waiting: list[ast.AST] = [*reversed(module.body)]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                defaults = [each for each in node.args.kw_defaults if each is not None]
                waiting += [*node.decorator_list, *node.args.defaults, *defaults]
                continue
            case ast.Lambda():
                waiting += node.args.defaults
                continue
            case ast.If(test=test) if is_for_types_only(test) or "__name__" in ast.unparse(test):
                waiting += reversed(node.orelse)
                continue
            case _:
                pass
        yield node
        waiting += reversed(list(ast.iter_child_nodes(node)))
