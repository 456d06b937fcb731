"""Finds, without running it, what makes a workflow's `run()` go another way when it is replayed.

`run()` is executed again from its beginning after a crash, a reload or a long sleep, and only steps
are remembered. So whatever is outside of steps must come out the same each time. This reads the
source of one module; what it cannot tell is a finding too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from emulator.findings import Finding, Severity
from emulator.python_source import full_name, imports_of

TIME = frozenset(
    """
    time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.localtime
    time.gmtime time.strftime datetime.datetime.now datetime.datetime.utcnow
    datetime.datetime.today datetime.date.today asyncio.sleep time.sleep
    """.split()
)
CHANCE = frozenset({"uuid.uuid1", "uuid.uuid4", "os.urandom"})
CHANCE_MODULES = ("random.", "secrets.")
EFFECTS = frozenset(
    "open workers.fetch js.fetch urllib.request.urlopen httpx.get httpx.post requests.get".split()
)
MUTATORS = frozenset("add append clear extend insert pop popitem remove setdefault update".split())
STEPS = frozenset({"do", "sleep", "sleep_until", "wait_for_event"})
BASE = "WorkflowEntrypoint"

_ADVICE = {
    "time": "a replay gets another time. Ask for it in a step, or use the event's timestamp.",
    "chance": "a replay gets another value. Ask for it in a step, and use what the step returns.",
    "effect": "it happens again with every replay. Do it in a step.",
    "write": "a replay does not execute this step again, so the change is lost. Return it instead.",
    "state": "another process has another value. Keep it in what steps return.",
    "name": "a replay asks for a step of another name. Take the name from the event or from steps.",
    "unknown": "this cannot be told from here. Look whether it does anything outside of steps.",
}


def findings(source: str, path: Path, only: str = "") -> list[Finding]:
    """Return what is found in the workflows of a module, the file `path`. Raises SyntaxError.

    only: the name of one class; without it, all of them.
    """
    module = ast.parse(source)
    known = _Module(module)
    found = set()
    for cls in known.workflows:
        if only not in ("", cls.name):
            continue
        run = known.methods(cls).get("run")
        if run is not None:
            found |= set(_Run(known, cls, run).findings())
    return sorted(replace(each, path=path) for each in found)


def _found(line: int, kind: str, text: str) -> Finding:
    return Finding(Path(), line, kind, text, _ADVICE[kind], Severity.ERROR)


class _Module:
    """The names of a module: its imports, functions, classes, and variables that can change."""

    def __init__(self, module: ast.Module) -> None:
        self.imports = imports_of(module)
        self.functions: dict[str, ast.AST] = {}
        self.mutable: set[str] = set()
        self.workflows: list[ast.ClassDef] = []
        bases: dict[str, set[str]] = {}
        for node in module.body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.functions[node.name] = node
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _can_change(value):
                    self.mutable.add(name)
                case ast.ClassDef():
                    bases[node.name] = {ast.unparse(base).split(".")[-1] for base in node.bases}
                    if self._is_workflow(node.name, bases):
                        self.workflows.append(node)

    def methods(self, cls: ast.ClassDef) -> dict[str, ast.AST]:
        """Return the methods of a class."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return {node.name: node for node in cls.body if isinstance(node, kinds)}

    def full_name(self, node: ast.expr) -> str:
        """Return what a call calls, with imports resolved: `"datetime.datetime.now"`."""
        return full_name(node, self.imports)

    def _is_workflow(self, name: str, bases: Mapping[str, set[str]]) -> bool:
        above = bases.get(name, set())
        return BASE in above or any(self._is_workflow(base, bases) for base in above)


class _Run:
    """One `run()`, with the functions of its module that it calls outside of steps."""

    def __init__(self, module: _Module, cls: ast.ClassDef, run: ast.AST) -> None:
        self._module = module
        self._methods = module.methods(cls)
        self._run = run
        self._seen: set[ast.AST] = set()

    def findings(self) -> Iterator[Finding]:
        """Yield what is found."""
        yield from self._outside(self._run)

    def _outside(self, function: ast.AST) -> Iterator[Finding]:
        """Yield what a function does outside of steps, and what its steps do to what is outside."""
        if function in self._seen:
            return
        self._seen.add(function)
        callbacks = _callbacks(function)
        for node in _walk(function, callbacks):
            if isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Name) and node.id in self._module.mutable:
                yield _found(node.lineno, "state", f"{node.id} is a variable of the module")
        for callback in callbacks:
            yield from _writes(callback)

    def _call(self, call: ast.Call) -> Iterator[Finding]:
        name, line = self._module.full_name(call.func), call.lineno
        shown = f"{ast.unparse(call.func)}()"
        if name in TIME:
            yield _found(line, "time", f"{shown} outside of a step")
        elif name in CHANCE or name.startswith(CHANCE_MODULES):
            yield _found(line, "chance", f"{shown} outside of a step")
        elif name in EFFECTS or name.startswith("self.env."):
            yield _found(line, "effect", f"{shown} outside of a step")
        elif _is_step(call.func):
            yield from self._step_name(call)
        elif name in self._module.functions:
            yield from self._outside(self._module.functions[name])
        elif name.startswith("self.") and name.count(".") == 1:
            method = self._methods.get(name.removeprefix("self."))
            if method is not None:
                yield from self._outside(method)
        elif _is_given_env(call):
            yield _found(line, "unknown", f"{shown} gets env or step")

    def _step_name(self, call: ast.Call) -> Iterator[Finding]:
        for part in ast.walk(call.args[0]) if call.args else ():
            if isinstance(part, ast.Call):
                name = self._module.full_name(part.func)
                if name in TIME | CHANCE or name.startswith(CHANCE_MODULES):
                    yield _found(part.lineno, "name", f"{ast.unparse(part)} in the name of a step")


def _callbacks(function: ast.AST) -> list[ast.AST]:
    """Return the callbacks of steps that a function defines: by decorator, or passed by name."""
    passed = {
        argument.id
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and _is_step(node.func)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(argument, ast.Name)
    }
    found: list[ast.AST] = []
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not function:
            decorators = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
            if node.name in passed or any(map(_is_step, decorators)):
                found.append(node)
        elif isinstance(node, ast.Call) and _is_step(node.func):
            found += [each for each in node.args if isinstance(each, ast.Lambda)]
    return found


def _walk(function: ast.AST, without: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a function, but for these; of a callback, its decorators are outside."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if node in without:
            waiting += getattr(node, "decorator_list", [])
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _writes(callback: ast.AST) -> Iterator[Finding]:
    """Yield what a callback changes outside of itself."""
    own = {node.arg for node in ast.walk(callback) if isinstance(node, ast.arg)}
    own |= {
        node.id
        for node in ast.walk(callback)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(callback):
        match node:
            case ast.Nonlocal(names=names) | ast.Global(names=names):
                text = f"a step changes {', '.join(names)}, which is outside of it"
                yield _found(node.lineno, "write", text)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if (
                attr in MUTATORS and name not in own and name != "self"
            ):
                text = f"a step changes {name}, which is outside of it"
                yield _found(node.lineno, "write", text)
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Subscript | ast.Attribute):
                        base = target.value
                        if isinstance(base, ast.Name) and base.id not in own:
                            text = f"a step changes {base.id}, which is outside of it"
                            yield _found(node.lineno, "write", text)
            case _:
                pass


def _is_step(function: ast.expr) -> bool:
    """Whether this is `step.do`, or another method of a name that is `step`."""
    return (
        isinstance(function, ast.Attribute)
        and function.attr in STEPS
        and isinstance(function.value, ast.Name)
        and function.value.id in ("step", "steps")
    )


def _is_given_env(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(ast.unparse(each) in ("self.env", "step", "env") for each in given)


def _can_change(value: ast.expr) -> bool:
    """Whether a variable with this value is one that code fills: an empty list, dict or set."""
    if isinstance(value, ast.List | ast.Dict | ast.Set):
        return not getattr(value, "elts", getattr(value, "keys", []))
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("list", "dict", "set")
