"""docs/workers.md names what user code can call: no more than there is, and no less."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
GUEST = ROOT / "emulator" / "guest" / "python"
# Inherited or made by the platform, so no method of these classes.
ELSEWHERE = {"fetch", "scheduled", "queue", "keys", "values", "items", "prepare", "batch"}


def methods(path: Path) -> dict[str, set[str]]:
    """Return the public methods of the public classes of a module, and of their private bases."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: {
            part.name
            for part in node.body
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
            and not part.name.startswith("_")
        }
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


CLASSES = {
    name: found
    for path in [*(GUEST / "clients").glob("*.py"), GUEST / "runs" / "step.py"]
    for name, found in methods(path).items()
}


def test_every_name_of_the_package_is_described() -> None:
    tree = ast.parse((GUEST / "sdk" / "workers" / "__init__.py").read_text(encoding="utf-8"))
    (exported,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )

    assert set(exported) - NAMED == set()


@pytest.mark.parametrize("name", sorted(name for name in CLASSES if not name.startswith("_")))
def test_every_method_of_a_binding_is_described(name: str) -> None:
    assert CLASSES[name] - NAMED == set()


def test_every_method_that_the_page_names_for_a_binding_exists() -> None:
    bindings = PAGE.partition("## Bindings")[2].partition("## Frameworks")[0]
    named = set(re.findall(r"`(\w+)\(", bindings)) - ELSEWHERE

    assert named - set().union(*CLASSES.values()) == {"to_py"}
