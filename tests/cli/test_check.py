"""`groundfog check`: the source of a worker is looked at, and not run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.testing.projects import FIXTURES


def check(project: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", "--cwd", str(FIXTURES / project), *arguments])


def test_the_planted_mistakes_are_told_with_file_and_line() -> None:
    told = check("planted", "--determinism")

    assert told.exit_code == 1
    assert "src/entry.py:52: [write] a step changes seen" in told.stdout
    assert "4 findings, 4 errors" in told.output
    records = json.loads(check("planted", "--determinism", "--json").stdout)
    assert [(record["line"], record["kind"]) for record in records] == [
        (52, "write"),
        (56, "state"),
        (83, "time"),
        (92, "chance"),
    ]


def test_nothing_is_found_in_the_sample() -> None:
    done = check("brief-analysis")

    assert (done.exit_code, done.stdout) == (0, "")


WRANGLER = """
main = "src/entry.py"
compatibility_date = "{date}"
compatibility_flags = ["python_workers"]
{more}
"""
ENTRY = """
import subprocess
from pathlib import Path
from workers import Response, WorkerEntrypoint

PAGE = (Path(__file__).parent / "page.jinja").read_text()


class Default(WorkerEntrypoint):
    async def queue(self, batch):
        subprocess.run(["ls"])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker with a file that is not deployed, an error and a warning, in the current folder."""
    folder = tmp_path / "worker"
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(WRANGLER.format(date="2026-08-01", more=""))
    (folder / "src/entry.py").write_text(ENTRY)
    (folder / "src/page.jinja").write_text("page")
    monkeypatch.chdir(tmp_path)
    return folder


def ask(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", "--cwd", str(project), *arguments])


def kinds(project: Path) -> list[tuple[str, int, str, str]]:
    records: list[dict[str, Any]] = json.loads(ask(project, "--json").stdout)
    return [(each["file"], each["line"], each["kind"], each["severity"]) for each in records]


def test_what_breaks_deployed_is_told_with_file_line_and_advice(project: Path) -> None:
    assert kinds(project) == [
        ("src/entry.py", 6, "not-bundled", "warning"),
        ("src/entry.py", 10, "arity", "error"),
        ("src/entry.py", 11, "process", "warning"),
    ]
    told = ask(project)
    assert told.exit_code == 1
    assert "src/entry.py:10: [arity] Default.queue does not take three arguments" in told.stdout
    assert "write queue(self, batch, env, ctx)" in told.stdout
    assert "3 findings, 1 error" in told.stderr


def test_warnings_end_with_0_and_with_strict_with_1(project: Path) -> None:
    path = project / "src/entry.py"
    path.write_text(path.read_text().replace("queue(self, batch)", "queue(self, batch, env, ctx)"))
    assert ask(project).exit_code == 0
    assert ask(project, "--strict").exit_code == 1
    assert "2 findings, 2 errors" in ask(project, "--strict").stderr


def test_a_rule_that_covers_the_file_is_read(project: Path) -> None:
    rules = 'rules = [{ type = "Text", globs = ["**/*.jinja"] }]'
    (project / "wrangler.toml").write_text(WRANGLER.format(date="2026-08-01", more=rules))
    assert "not-bundled" not in {kind for _, _, kind, _ in kinds(project)}


def test_annotations_of_github_name_files_from_the_current_folder(project: Path) -> None:
    lines = ask(project, "--format", "github").stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(
        "::error file=worker/src/entry.py,line=10,title=arity::Default.queue"
    )
    assert lines[0].startswith("::warning file=worker/src/entry.py,line=6,title=not-bundled::")
    assert all("\n" not in line for line in lines)


def test_sarif_is_valid_by_its_own_terms(project: Path) -> None:
    told = json.loads(ask(project, "--format", "sarif").stdout)

    assert (told["version"], len(told["runs"])) == ("2.1.0", 1)
    driver, results = told["runs"][0]["tool"]["driver"], told["runs"][0]["results"]
    assert driver["name"] == "Groundfog"
    rules = [rule["id"] for rule in driver["rules"]]
    assert rules == sorted({"arity", "not-bundled", "process"})
    assert {result["ruleId"] for result in results} == set(rules)
    assert [result["level"] for result in results] == ["warning", "error", "warning"]
    place = results[1]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "worker/src/entry.py"},
        "region": {"startLine": 10},
    }


def test_old_dates_lack_what_newer_ones_have(project: Path) -> None:
    (project / "wrangler.toml").write_text(WRANGLER.format(date="2025-09-01", more=""))
    (project / "src/entry.py").write_text(
        "from pyodide.ffi import run_sync\nfrom workers import WorkflowEntrypoint\n"
        "class Flow(WorkflowEntrypoint):\n    async def run(self, event, step): ...\n"
    )
    assert kinds(project) == [
        ("src/entry.py", 1, "flag", "error"),
        ("wrangler.toml", 0, "flag", "error"),
    ]


def test_what_pywrangler_and_wrangler_refuse_is_told(project: Path) -> None:
    (project / "requirements.txt").write_text("fastapi")
    (project / "src/python_modules").mkdir()
    (project / "src/entry.py").write_text("")
    assert kinds(project) == [
        ("requirements.txt", 0, "requirements", "warning"),
        ("src/python_modules", 0, "requirements", "error"),
    ]


def test_packages_with_binaries_and_no_build_are_told_at_the_dependency(project: Path) -> None:
    """`outer` needs `fastlib`, which has binaries; `numpy` has some, and a build for Pyodide."""
    packages = project / ".venv/lib/python3.13/site-packages"
    (project / ".venv/bin").mkdir(parents=True)
    os.symlink("/bin/true", project / ".venv/bin/python")
    (project / ".venv/pyvenv.cfg").write_text("include-system-site-packages = false")
    for name, tag, needs in (
        ("outer", "py3-none-any", "Requires-Dist: fastlib>=1; python_version > '3'\n"),
        ("fastlib", "cp313-cp313-linux_x86_64", ""),
        ("numpy", "cp313-cp313-linux_x86_64", ""),
        ("undeclared", "py3-none-any", ""),
    ):
        info = packages / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {name}\n{needs}")
        (info / "WHEEL").write_text(f"Tag: {tag}\n")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n{name}-1.0.dist-info/METADATA,,\n")
    (project / "pyproject.toml").write_text('[project]\ndependencies = [\n"outer",\n"numpy"\n]')
    (project / "src/entry.py").write_text("import outer, numpy, fastlib, undeclared\n")
    assert kinds(project) == [
        ("pyproject.toml", 3, "no-build", "warning"),
        ("src/entry.py", 1, "package", "warning"),
    ]
    told = ask(project).stdout
    assert "outer needs fastlib, which has binaries" in told
    assert "It comes from undeclared, which is in this Python and not deployed" in told


def test_a_source_that_is_not_python_is_told_with_its_line(project: Path) -> None:
    (project / "src/broken.py").write_text("\ndef (:\n")
    told = ask(project)
    assert told.exit_code == 1
    assert "src/broken.py:2: invalid syntax" in told.stderr
