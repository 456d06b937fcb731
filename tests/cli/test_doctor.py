"""`groundfog doctor`: what is there, what is missing, and the command that installs it."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.bundling.tools import ESBUILD, machine_of
from emulator.cli.main import cli
from tests.end_to_end.wrangler import wrangler_folder

PYTHON = 'main = "entry.py"\ncompatibility_date = "2026-08-01"\n'
TYPESCRIPT = 'main = "index.ts"\ncompatibility_date = "2026-08-01"\n'


def ask(project: Path, env: dict[str, str] | None = None) -> tuple[dict[str, Any], int]:
    """Return what `doctor --json` finds in a project, by name, and its exit code."""
    runner = CliRunner(env={"PATH": "", "GROUNDFOG_TOOLS": None, **(env or {})})
    result = runner.invoke(cli, ["doctor", str(project), "--json"])
    return {finding["name"]: finding for finding in json.loads(result.stdout)}, result.exit_code


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(f'{PYTHON}compatibility_flags = ["python_workers"]\n')
    (tmp_path / "entry.py").write_text("")
    (tmp_path / "index.ts").write_text("")
    return tmp_path


def test_a_python_worker_needs_no_javascript(project: Path) -> None:
    found, code = ask(project)

    assert code == 0
    assert found["guest Python"]["version"] == platform.python_version()
    assert found["guest Python"]["path"] == sys.executable
    assert found["SQLite of D1"]["version"] >= "3.5"
    assert (found["workerd"]["needed"], found["workerd"]["version"]) == (False, "")


def test_what_a_typescript_worker_needs_is_told_with_the_command(project: Path) -> None:
    (project / "wrangler.toml").write_text(TYPESCRIPT)

    found, code = ask(project)

    assert code == 1
    assert found["esbuild"]["problem"].startswith("esbuild was not found.")
    assert found["workerd"]["fix"] == f"npm install -D wrangler (in {project})"
    text = CliRunner(env={"PATH": ""}).invoke(cli, ["doctor", str(project)]).stdout
    assert "esbuild       missing" in text
    assert f"Fix: npm install -D wrangler (in {project})" in text


def test_what_is_installed_is_shown_with_version_and_path(project: Path) -> None:
    folder = str(wrangler_folder())
    (project / "wrangler.toml").write_text(TYPESCRIPT)

    found, code = ask(project, {"GROUNDFOG_TOOLS": folder})

    assert code == 0
    for name in ("esbuild", "workerd"):
        assert found[name]["version"][0].isdigit()
        assert found[name]["path"].startswith(folder)
        assert found[name]["problem"] == ""


def test_a_binary_for_another_machine_is_told(project: Path) -> None:
    (project / "wrangler.toml").write_text(TYPESCRIPT)
    package = project / "node_modules" / "@esbuild" / machine_of(ESBUILD)
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text('{"version": "0.28.2"}')
    (package / "bin" / "esbuild").write_bytes(b"\x7fELF of another machine")
    (package / "bin" / "esbuild").chmod(0o755)

    found, code = ask(project)

    assert code == 1
    assert "it cannot be run: Exec format error" in found["esbuild"]["problem"]
    assert found["esbuild"]["fix"]
