"""The shape of handlers, and values that cannot go from one worker to another, or to a binding.

Source: docs/platform/python-workers.md, "Handlers".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from emulator.deployability.source import Source, methods
from emulator.findings import Finding

STRICT = frozenset({"scheduled", "queue", "email", "tail", "trace"})  # they get three arguments
_FREE = STRICT | {"fetch", "test", "connect", "alarm", "run"}
_GIVEN = 3


def wrong_arity(source: Source) -> Iterator[Finding]:
    """Yield handlers that cannot take the three arguments that they get."""
    for base, cls in source.entrypoints():
        for method in methods(cls) if base == "WorkerEntrypoint" else ():
            arguments = method.args
            most = len(arguments.posonlyargs) + len(arguments.args) - 1
            least = most - len(arguments.defaults)
            if method.name in STRICT and (
                least > _GIVEN or (most < _GIVEN and arguments.vararg is None)
            ):
                yield source.error(
                    method,
                    "arity",
                    f"{cls.name}.{method.name} does not take three arguments beside self",
                    f"It gets three: write {method.name}(self, {_first(method.name)}, env, ctx).",
                )


def _first(name: str) -> str:
    return {"scheduled": "controller", "queue": "batch", "email": "message"}.get(name, "events")


def not_crossing(source: Source) -> Iterator[Finding]:
    """Yield values that cannot cross: results of steps and of remote methods, and arguments."""
    for base, cls in source.entrypoints():
        for method in methods(cls):
            if _is_called_from_outside(source, base, cls, method.name):
                yield from _results(source, method, f"{cls.name}.{method.name}")
            for step in _steps(method):
                yield from _results(source, step, f"the step {step.name}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and is_of_binding(source, node.func):
            yield from _arguments(source, node)


def _is_called_from_outside(source: Source, base: str, cls: ast.ClassDef, name: str) -> bool:
    """Whether results of a method cross: of `run()`, or of a method that only others can call.

    Methods of `Default` are mostly its own; so are those that the module itself names.
    """
    if base == "WorkflowEntrypoint":
        return name == "run"
    if cls.name == "Default" or name.startswith("_") or name in _FREE:
        return False
    return f"self.{name}" not in source.text


def _results(source: Source, function: ast.AST, of: str) -> Iterator[Finding]:
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            yield from _values(source, node.value, f"{of} returns")
        waiting += ast.iter_child_nodes(node)


def _arguments(source: Source, call: ast.Call) -> Iterator[Finding]:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    for value in given:
        yield from _values(source, value, f"{ast.unparse(call.func)}() gets")
    if call.keywords and call.args and isinstance(call.args[-1], ast.Dict):
        names = ", ".join(keyword.arg or "**" for keyword in call.keywords)
        yield source.warning(
            call,
            "options",
            f"{ast.unparse(call.func)}() gets a dict of options and keywords ({names})",
            "Deployed, the keywords are ignored. Write them into the dict.",
        )


_REFUSED = {"bytearray": "a bytearray", "range": "a range", "complex": "a complex number"}


def _values(source: Source, value: ast.expr, what: str) -> Iterator[Finding]:
    """Yield what in a written value cannot cross, in lists and dicts too."""
    kind = ""
    match value:
        case ast.Tuple():
            kind = "a tuple"
        case ast.GeneratorExp():
            kind = "a generator"
        case ast.Call(func=ast.Name(id=name)) if name in _REFUSED:
            kind = _REFUSED[name]
        case ast.List(elts=items) | ast.Dict(values=items):
            for item in items:
                yield from _values(source, item, what)
        case _:
            pass
    if kind:
        advice = "It cannot be sent. Send a list, a dict, bytes, numbers or text."
        yield source.error(value, "value", f"{what} {kind}", advice)


def is_of_binding(source: Source, function: ast.expr) -> bool:
    """Whether a call is one of a binding: `self.env.DB.prepare(…).bind`, `env.KV.put`."""
    depth, node = 0, function
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            if source.name(node) in ("self.env", "workers.env"):
                return depth >= 2
            depth += 1
            node = node.value
        else:
            node = node.func
    return isinstance(node, ast.Name) and source.name(node) == "workers.env" and depth >= 2


def _steps(function: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.decorator_list:
                called = each.func if isinstance(each, ast.Call) else each
                if isinstance(called, ast.Attribute) and called.attr == "do":
                    yield node
