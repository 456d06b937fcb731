"""Writes `groundfog/testing/sync/` from `groundfog/testing/aio/`: the same, without `await`.

Run it after a change of `aio/`: `python scripts/sync_face.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TESTING = Path(__file__).parents[1] / "groundfog" / "testing"
RULES = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basync_worker\b", "worker"),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"\.asking\(", ".ask("),
    (r"groundfog\.testing\.aio", "groundfog.testing.sync"),
    (r"Awaitable\[None\]\]", "None]"),
    (r"Callable\[\.\.\., Awaitable\[Any\]\]", "Callable[..., Any]"),
    (r"Any \| Awaitable\[Any\]", "Any"),
    (r"import Awaitable, Callable", "import Callable"),
    (r"methods work on asyncio and on trio", "methods return when they are done"),
    (r"asynchronous face", "face without an event loop"),
)
INIT = '''"""The face of workers in tests that needs no event loop. Made from `aio/`: change that.

`python scripts/sync_face.py` writes this folder.
"""
'''


def without_await(text: str) -> str:
    """Return the text of a module as the other face has it."""
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text


def made() -> dict[Path, str]:
    """Return the modules of the other face by their paths, formatted."""
    found = {TESTING / "sync" / "__init__.py": INIT}
    for path in sorted((TESTING / "aio").glob("*.py")):
        if path.name != "__init__.py":
            found[TESTING / "sync" / path.name] = formatted(without_await(path.read_text()))
    return found


def formatted(text: str) -> str:
    """Return `text` as ruff formats it."""
    ruff = Path(sys.executable).parent / "ruff"
    for arguments in (["check", "--fix-only", "--quiet"], ["format"]):
        command = [str(ruff), *arguments, "--stdin-filename", "groundfog/x.py", "-"]
        run = subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, cwd=TESTING.parents[1]
        )
        text = run.stdout
    return text


if __name__ == "__main__":
    for target, written in made().items():
        target.write_text(written)
