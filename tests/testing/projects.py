"""Projects with tests of their own, run by pytest in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Ran:
    """What became of each test, by its name: "passed", or the text of its failure or error."""

    outcomes: dict[str, str]
    text: str


def orders(folder: Path, **files: str) -> Path:
    """Return a copy of the sample worker `orders`, with more files: name -> text, `__` for `/`."""
    project = folder / "orders"
    shutil.copytree(FIXTURES / "orders", project)
    for name, text in files.items():
        path = project / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return project


# Other plugins that are installed here, and that most projects of tests need not load.
PLAIN = tuple(f"-pno:{name}" for name in ("asyncio", "anyio", "randomly", "xdist", "timeout"))


def environment() -> dict[str, str]:
    """Return an environment without what our own test run says to pytest."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def run(project: Path, *arguments: str, ini: str = "") -> Ran:
    """Run the tests of a project."""
    (project / "pytest.ini").write_text(f"[pytest]\n{ini}")
    report = project / "report.xml"
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=100,
    )
    text = done.stdout + done.stderr
    if not report.exists():
        return Ran({}, text)
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        told = [f"{each.get('message')}\n{each.text}" for each in case if each.tag != "properties"]
        problems = [
            text
            for text, each in zip(told, case, strict=False)
            if each.tag in ("failure", "error", "skipped")
        ]
        outcomes[name] = "\n".join(problems) or outcomes.get(name) or "passed"
    return Ran(outcomes, text)
