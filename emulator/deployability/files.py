"""Files that the code reads and that are not deployed, because no rule of bundling covers them.

Source: docs/platform/python-workers.md, "Loading".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.bundling.rules import covered
from emulator.config.model import ModuleRule
from emulator.deployability.source import Source
from emulator.findings import Finding

_SKIPPED = frozenset("python_modules node_modules __pycache__ .git .venv .venv-workers".split())
_EXAMPLE = 'rules = [{{ type = "Text", globs = ["**/*{suffix}"], fallthrough = true }}]'


def not_bundled(
    sources: Sequence[Source], root: Path, rules: Sequence[ModuleRule]
) -> Iterator[Finding]:
    """Yield where the code names a file, or a folder of files, that is not deployed."""
    patterns = [re.compile(pattern) for pattern in covered(rules)]
    by_name: dict[str, list[str]] = {}
    for relative in _files(root):
        if not relative.endswith(".py") and not any(each.match(relative) for each in patterns):
            *folders, name = relative.split("/")
            for key in {name, relative, *folders}:
                by_name.setdefault(key, []).append(relative)
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                files = by_name.get(node.value.removeprefix("./").rstrip("/"))
                if files:
                    yield _finding(source, node, files)


def _finding(source: Source, node: ast.Constant, files: list[str]) -> Finding:
    suffix = Path(files[0]).suffix or files[0]
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return source.warning(
        node,
        "not-bundled",
        f"{node.value!r} names {files[0]}{more}, which no rule covers",
        f"It is not deployed. Add it: {_EXAMPLE.format(suffix=suffix)}",
    )


def _files(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not any(part in _SKIPPED for part in relative.parts):
            yield relative.as_posix()
