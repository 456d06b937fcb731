"""The layer table: which of our packages may import which. A wrong import is a wrong boundary."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FOUNDATION = {
    *("emulator.errors", "emulator.clock", "emulator.durations", "emulator.sqlite"),
    *("emulator.disk", "emulator.cron", "emulator.regex", "emulator.words"),
    "emulator.certificate",
    "emulator.child_processes",
    *("emulator.json_types", "emulator.answers"),
}

# Layer -> what of ours its modules may import beside themselves. A module belongs to the longest
# name here that it is, or is inside of; a module that belongs to none fails the test.
ALLOWED: dict[str, set[str]] = {
    "emulator.errors": set(),
    "emulator.clock": set(),
    "emulator.durations": set(),
    "emulator.sqlite": set(),
    "emulator.disk": set(),
    "emulator.child_processes": set(),
    "emulator.words": set(),
    "emulator.json_types": set(),
    "emulator.answers": {"emulator.json_types"},
    "emulator.cron": {"emulator.words"},
    "emulator.certificate": {"emulator.clock", "emulator.disk", "emulator.errors"},
    "emulator.regex": set(),
    "emulator.findings": set(),
    "emulator.python_source": set(),
    "emulator.determinism": {"emulator.findings", "emulator.python_source"},
    "emulator.typings": FOUNDATION | {"emulator.config", "emulator.kinds"},
    "emulator.deployability": FOUNDATION
    | {
        "emulator.bundling",
        "emulator.config",
        "emulator.findings",
        "emulator.guest.python.pyodide_lacks",
        "emulator.packages",
        "emulator.python_source",
    },
    "emulator.packages": FOUNDATION,
    "emulator.templates": set(),
    "emulator.config": FOUNDATION,
    "bindings": FOUNDATION,
    "emulator.protocol": set(),
    "emulator.guest": {"emulator.protocol"},
    "emulator.engine": FOUNDATION | {"emulator.protocol"},
    "emulator.runner": FOUNDATION
    | {
        "emulator.protocol",
        "emulator.engine",
        "emulator.bundling",
        "emulator.guest.javascript",
        "bindings",
    },
    "emulator.lock": FOUNDATION,
    "emulator.state": FOUNDATION | {"emulator.config", "emulator.lock"},
    "emulator.custody": FOUNDATION | {"emulator.lock", "emulator.state"},
    "emulator.watch": FOUNDATION,
    "emulator.bundling": FOUNDATION | {"emulator.config", "emulator.watch"},
    "emulator.code_version": {"emulator.watch"},
    "emulator.user_code": FOUNDATION
    | {"emulator.config", "emulator.bundling", "emulator.code_version"},
    "emulator.kinds": FOUNDATION
    | {
        "emulator.config",
        "emulator.protocol",
        "emulator.engine",
        "emulator.runner.workerd",
        "emulator.state",
        "bindings",
    },
    # It reads the sections of kinds, which read with the rest of `config`.
    "emulator.config.load": FOUNDATION | {"emulator.config", "emulator.kinds"},
    "emulator.forwarding": FOUNDATION | {"emulator.protocol", "emulator.runner", "bindings"},
    "emulator.loaded_code": FOUNDATION,
    "emulator.isolates": FOUNDATION
    | {
        "emulator.loaded_code",
        "emulator.forwarding",
        "emulator.protocol",
        "emulator.runner",
        "bindings",
    },
    "emulator.peers": FOUNDATION | {"emulator.forwarding", "emulator.runner", "bindings"},
    "emulator.tails": FOUNDATION | {"emulator.config", "emulator.kinds", "emulator.peers"},
    "emulator.objects": FOUNDATION
    | {"emulator.forwarding", "emulator.protocol", "emulator.runner", "bindings"},
    "emulator.triggers": FOUNDATION
    | {"emulator.config", "emulator.kinds", "emulator.engine", "emulator.runner", "bindings"},
    "emulator.worker": FOUNDATION
    | {
        "emulator.isolates",
        "emulator.peers",
        "emulator.tails",
        "emulator.objects",
        "emulator.triggers",
        "emulator.bundling.rules",
        "emulator.config",
        "emulator.kinds",
        "emulator.engine",
        "emulator.runner",
        "emulator.state",
        "bindings",
    },
    "emulator.watched_files": FOUNDATION
    | {"emulator.config", "emulator.user_code", "emulator.watch"},
    "emulator.terminal": FOUNDATION | {"emulator.engine", "emulator.runner", "bindings"},
    "emulator.reconfiguration": FOUNDATION | {"emulator.config", "emulator.terminal"},
    "emulator.generations": FOUNDATION
    | {
        "emulator.loaded_code",
        "emulator.watched_files",
        "emulator.config",
        "emulator.protocol",
        "emulator.runner",
        "emulator.kinds",
        "emulator.terminal",
        "emulator.worker",
        "bindings",
    },
    "emulator.losses": FOUNDATION,
    "emulator.tasks": FOUNDATION,
    "emulator.supervisor": FOUNDATION
    | {
        "emulator.generations",
        "emulator.reconfiguration",
        "emulator.terminal",
        "emulator.losses",
        "emulator.tasks",
        "emulator.loaded_code",
        "emulator.watched_files",
        "emulator.config",
        "emulator.protocol",
        "emulator.engine",
        "emulator.runner",
        "emulator.state",
        "emulator.user_code",
        "emulator.watch",
        "emulator.kinds",
        "emulator.objects",
        "emulator.worker",
        "bindings",
    },
    "emulator.checking": FOUNDATION
    | {
        "emulator.config",
        "emulator.protocol",
        "emulator.engine",
        "emulator.runner",
        "emulator.worker",
    },
    "emulator.shadow_replays": FOUNDATION
    | {"emulator.engine", "emulator.runner", "emulator.shadow", "emulator.worker"},
    "emulator.shadow": FOUNDATION
    | {
        "emulator.config",
        "emulator.determinism",
        "emulator.findings",
        "emulator.protocol",
        "emulator.engine",
        "emulator.runner",
        "emulator.worker",
    },
    "emulator.server": FOUNDATION
    | {
        "emulator.config",
        "emulator.kinds",
        "emulator.protocol",
        "emulator.engine",
        "emulator.runner",
        "emulator.triggers",
        "emulator.worker",
        "bindings",
    },
    "emulator.workerd_parts": FOUNDATION
    | {
        "emulator.terminal",
        "emulator.bundling",
        "emulator.config",
        "emulator.kinds",
        "emulator.runner",
        "emulator.server",
        "emulator.state",
        "emulator.supervisor",
        "emulator.user_code",
    },
    "emulator.session": FOUNDATION
    | {
        "emulator.generations",
        "emulator.terminal",
        "emulator.peers",
        "emulator.config",
        "emulator.kinds",
        "emulator.runner",
        "emulator.lock",
        "emulator.state",
        "emulator.custody",
        "emulator.worker",
        "emulator.supervisor",
        "emulator.server",
        "bindings",
        "emulator.user_code",
        "emulator.workerd_parts",
    },
    "emulator.cli": {"emulator", "bindings"},
    "emulator.testing": {"emulator", "bindings"},
}
# The layers inside the engine: each imports itself and those named before it. The modules that are
# in none of them put these together.
ENGINE = "emulator.engine"
ENGINE_LAYERS = ("model", "actions", "decide", "guests", "journal", "guard", "runs", "views")
STANDARD_LIBRARY_ONLY = ("emulator.guest", "emulator.protocol")


@dataclass(frozen=True)
class Import:
    """One import statement of ours: who, what, and how."""

    module: str
    imported: str
    line: int
    relative: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


def modules() -> dict[str, Path]:
    """Return every module of ours by its dotted name. What is in a template becomes the user's."""
    found = {}
    for package in ("emulator", "bindings"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:2] == ("emulator", "templates") and len(parts) > 3:
                continue
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(module: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    """Yield what `module` imports, `from x import y` as `x.y` where that is a module."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, relative=False)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield Import(
                    module, name if name in known else base, node.lineno, relative=node.level > 0
                )


def layer_of(module: str) -> str | None:
    """Return the layer a module belongs to."""
    layers = [name for name in ALLOWED if is_inside(module, name)]
    return max(layers, key=len, default=None)


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


KNOWN = modules()


@cache
def every_import() -> tuple[Import, ...]:
    """Return what every module imports."""
    return tuple(each for name, path in KNOWN.items() for each in imports_of(name, path, KNOWN))


def nodes_of(path: Path, pattern: str) -> Iterator[ast.AST]:
    """Yield the syntax tree of a module whose text the pattern is found in."""
    text = path.read_text(encoding="utf-8")
    if re.search(pattern, text):
        yield from ast.walk(ast.parse(text))


def test_every_module_belongs_to_a_layer() -> None:
    assert [name for name in KNOWN if layer_of(name) is None and name != "emulator"] == []


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_those_above_it(layer: str) -> None:
    wrong = [
        str(found)
        for found in every_import()
        if layer_of(found.module) == layer
        and found.imported.split(".")[0] in ("emulator", "bindings")
        and not any(is_inside(found.imported, name) for name in (layer, *ALLOWED[layer]))
    ]

    assert wrong == []


@pytest.mark.parametrize("layer", ENGINE_LAYERS)
def test_a_layer_of_the_engine_imports_only_those_before_it(layer: str) -> None:
    lower = ENGINE_LAYERS[: ENGINE_LAYERS.index(layer) + 1]
    wrong = [
        str(found)
        for found in every_import()
        if is_inside(found.module, f"{ENGINE}.{layer}")
        and is_inside(found.imported, ENGINE)
        and not any(is_inside(found.imported, f"{ENGINE}.{name}") for name in lower)
    ]

    assert wrong == []


def test_no_module_of_the_engine_imports_itself_through_others() -> None:
    imported: dict[str, set[str]] = {name: set() for name in KNOWN if is_inside(name, ENGINE)}
    for found in every_import():
        if found.module in imported and found.imported in imported:
            imported[found.module].add(found.imported)
    while leaves := {name for name, others in imported.items() if not others & imported.keys()}:
        for name in leaves:
            del imported[name]

    assert imported == {}


def test_only_the_roster_appends_to_the_journal() -> None:
    found = {
        module
        for module, path in KNOWN.items()
        if is_inside(module, ENGINE)
        for node in nodes_of(path, "ournal")
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("journal.append", "Journal.append"))
    }

    assert found == {f"{ENGINE}.roster"}


def test_one_binding_does_not_import_another() -> None:
    """They share `binding.py`, the protocol all satisfy, `http.py` and the like."""
    names = ("binding", "http", "messages", "multipart", "sql", "store", "wrangler_files")
    shared = ("bindings", *(f"bindings.{name}" for name in names))
    wrong = [
        str(found)
        for found in every_import()
        if is_inside(found.module, "bindings")
        and is_inside(found.imported, "bindings")
        and not any(is_inside(found.imported, name) for name in shared[1:])
        and found.imported != "bindings"
        and found.module.split(".")[1] != found.imported.split(".")[1]
    ]

    assert wrong == []


@pytest.mark.parametrize("package", STANDARD_LIBRARY_ONLY)
def test_what_runs_in_a_guest_needs_the_standard_library_only(package: str) -> None:
    wrong = [
        str(found)
        for found in every_import()
        if is_inside(found.module, package)
        and found.imported.split(".")[0] not in {*sys.stdlib_module_names, "emulator"}
        and not found.imported.startswith(("workers", "js", "pyodide"))
    ]

    assert wrong == []


@pytest.mark.parametrize("package", STANDARD_LIBRARY_ONLY)
def test_what_runs_in_a_guest_names_itself_by_relative_imports(package: str) -> None:
    """In a guest, `emulator` and `bindings` belong to the user's project."""
    wrong = [
        str(found)
        for found in every_import()
        if is_inside(found.module, package)
        and found.imported.split(".")[0] in ("emulator", "bindings")
        and not found.relative
    ]

    assert wrong == []


SQL = re.compile(
    r"\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\b.+\bSET\b|^PRAGMA\b", re.DOTALL
)
SPEAK_SQL = ("emulator.engine.journal", "emulator.sqlite", "bindings")


def test_sql_is_written_only_where_a_database_is_owned() -> None:
    found = [
        f"{module}:{node.lineno}: {node.value[:60]}"
        for module, path in KNOWN.items()
        if not any(is_inside(module, package) for package in SPEAK_SQL)
        for node in nodes_of(path, "SELECT|INSERT|DELETE|UPDATE|PRAGMA")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]

    assert found == []


KNOW_THE_CONTENT = tuple(
    f"emulator.engine.model.{name}"
    for name in ("entries", "instance_entries", "step_entries", "failure", "divergence")
)
TELL_INSTANCES = ("emulator.engine", "emulator.cli", "emulator.server", "emulator.checking")


def _reads_a_member(node: ast.AST) -> bool:
    """Whether this is `data["…"]` or `data.get("…")`, on a variable or an attribute `data`."""
    match node:
        case ast.Subscript(value=found, slice=ast.Constant(value=str())):
            pass
        case ast.Call(func=ast.Attribute(value=found, attr="get"), args=[ast.Constant(), *_]):
            pass
        case _:
            return False
    return any(
        isinstance(inner, ast.Name | ast.Attribute)
        and getattr(inner, "id", getattr(inner, "attr", "")) == "data"
        for inner in ast.walk(found)
    )


def test_what_an_entry_says_is_known_by_its_class_alone() -> None:
    found = [
        f"{module}:{node.lineno}"
        for module, path in KNOWN.items()
        if any(is_inside(module, package) for package in TELL_INSTANCES)
        and module not in KNOW_THE_CONTENT
        for node in nodes_of(path, r"\bdata\b")
        if isinstance(node, ast.expr) and _reads_a_member(node)
    ]

    assert found == []


def test_the_text_of_a_step_key_is_taken_apart_in_one_module() -> None:
    found = [
        f"{module}:{node.lineno}"
        for module, path in KNOWN.items()
        if any(is_inside(module, package) for package in TELL_INSTANCES)
        and module not in ("emulator.engine.model.step_key", "emulator.cli.lazy")
        for node in nodes_of(path, "split|partition")
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("split", "partition", "rpartition", "rsplit")
        and [ast.unparse(argument) for argument in node.args[:1]] == ["':'"]
    ]

    assert found == []


def test_json_has_one_type() -> None:
    """`Any` under that name would let everything pass that reads it."""
    found = [
        f"{module}:{node.lineno}"
        for module, path in KNOWN.items()
        if module != "emulator.json_types"
        for node in nodes_of(path, r"\bJson\b")
        if isinstance(node, ast.Name) and node.id == "Json" and isinstance(node.ctx, ast.Store)
    ]

    assert found == []


def test_the_runner_knows_no_language_of_guests() -> None:
    """It takes guests from a source; that one forks Python is known in `runner/python/` only."""
    runner = [
        module for module in KNOWN if re.fullmatch(r"emulator\.runner\.(?!python)\w+", module)
    ]
    wrong = [
        str(found)
        for found in every_import()
        if found.module in runner and is_inside(found.imported, "emulator.runner.python")
    ]

    assert wrong == []
    assert [m for m in runner if "forkserver" in KNOWN[m].read_text(encoding="utf-8").lower()] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions count too: such a circle is only postponed."""
    imports: dict[str, set[str]] = {module: set() for module in KNOWN}
    for found in every_import():
        if found.imported in KNOWN:
            imports[found.module].add(found.imported)
    while leaves := [module for module, others in imports.items() if not others & imports.keys()]:
        for module in leaves:
            del imports[module]

    assert sorted(imports) == []  # circles, and what leads to them


# Where a test touches what is private, and why it must.
PRIVATE_ALL_THE_SAME = {
    # The moment of a commit has no other name, and product code is to know nothing of bombs.
    ("tests/crash/launcher.py", "_commit"),
    ("tests/watchdog.py", "_current_frames"),  # a documented function of Python, for debuggers
}
PUBLIC_ALL_THE_SAME = {"_replace", "_asdict", "_fields", "_exit"}  # of Python's own


def _private_names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the private names of others that a test reads, or gives to `setattr` to replace."""
    for node in nodes_of(path, r"""(\.\s*|["'])_[a-zA-Z]"""):
        if not isinstance(node, ast.Attribute | ast.Call):
            continue
        name = ""
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            name = node.attr
        elif isinstance(node, ast.Call) and len(node.args) > 2:
            second = node.args[1]  # of setattr and the like
            name = str(second.value) if isinstance(second, ast.Constant) else ""
        if name.startswith("_") and not name.startswith("__") and name not in PUBLIC_ALL_THE_SAME:
            yield name, node.lineno


def test_tests_reach_no_private_state() -> None:
    """What a test needs to see or to disturb has a name of its own: a property, a seam, a disk."""
    found = [
        (str(path.relative_to(ROOT)), name, line)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name, line in _private_names(path)
    ]

    assert [each for each in found if each[:2] not in PRIVATE_ALL_THE_SAME] == []
    assert {each[:2] for each in found} >= PRIVATE_ALL_THE_SAME  # none is out of date


def test_modules_of_the_engine_can_be_read_in_one_go() -> None:
    """350 lines, 400 for the journal, whose writer cannot be cut."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / "emulator" / "engine").rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines()))
        > (400 if path.parent.name == "journal" else 350)
    }
    assert long == {}


def test_the_engine_only_passes_on_and_performs() -> None:
    """A rule belongs to a part, which decides; then the engine needs no more methods than these."""
    tree = ast.parse((ROOT / "emulator" / "engine" / "engine.py").read_text(encoding="utf-8"))
    (engine,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    methods = [n for n in engine.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert len(methods) <= 25
