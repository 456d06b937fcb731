"""`groundfog sync`: what pyproject.toml names comes into `.venv`, and the worker imports it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from emulator.packages import installer
from tests.packages.wheels import make_wheel

WRANGLER = 'main = "entry.py"\ncompatibility_date = "2026-08-01"\n'
PROJECT = """
[project]
name = "my-worker"
version = "0.1.0"
dependencies = [{dependencies}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "wrangler.toml").write_text(f'{WRANGLER}compatibility_flags = ["python_workers"]\n')
    (folder / "entry.py").write_text("")
    return folder


def declare(project: Path, *dependencies: str, more: str = "") -> None:
    quoted = ", ".join(f"'{each}'" for each in dependencies)
    (project / "pyproject.toml").write_text(PROJECT.format(dependencies=quoted) + more)


def sync(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["sync", "--cwd", str(project), *arguments])


def said_by(project: Path, code: str) -> str:
    python = project / ".venv/bin/python"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_dependencies_and_sources_of_uv_are_installed_by_uv_and_by_pip(
    project: Path, tool: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wheels = project.parent / "wheels"
    make_wheel(wheels, "fog_listed", "1.0")
    make_wheel(wheels, "fog_listed", "2.0")
    beside = make_wheel(project.parent / "beside", "fog_beside")
    sources = f'[tool.uv.sources]\nfog_beside = {{ path = "../beside/{beside.name}" }}\n'
    declare(project, "fog-listed<2", "fog-beside", more=sources)
    if tool == "pip":
        monkeypatch.setattr("emulator.cli.sync.find_uv", lambda: None)
    result = sync(project, "--no-index", "--find-links", str(wheels))

    assert result.exit_code == 0, result.output
    assert ".venv has the 2 dependencies of pyproject.toml" in result.output
    assert "is new: start `groundfog dev` again if it runs" in result.output
    code = "import fog_listed, fog_beside; print(fog_listed.VERSION, fog_beside.VERSION)"
    assert said_by(project, code) == "1.0 1.0\n"


def test_a_package_that_is_nowhere_is_told_by_the_installer(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    declare(project, "fog-nowhere")
    result = sync(project, "--no-index")
    assert result.exit_code == 1
    assert "pip install" in result.output and "ended with" in result.output
    assert "fog-nowhere" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project", "pyproject.toml: "),
        ("[project]\ndependencies = 'fastapi'", "dependencies is 'fastapi'; expected a list of"),
        ("[project]\ndependencies = ['!']", "'!' in [project] dependencies is not the name of"),
        ("project = 1", "project is 1; expected a table, [project]"),
        ("[tool.uv]\nsources = 1", "sources is 1; expected a table, [sources]"),
    ],
)
def test_a_pyproject_that_cannot_be_understood_is_told(
    project: Path, text: str, message: str
) -> None:
    (project / "pyproject.toml").write_text(text)
    result = sync(project)
    assert (result.exit_code, message in result.output) == (1, True), result.output
    assert not (project / ".venv").exists()


def test_without_a_pyproject_an_example_of_one_is_shown(project: Path) -> None:
    result = sync(project)
    assert result.exit_code == 1
    assert f"{project} has no pyproject.toml" in result.output
    assert 'dependencies = ["fastapi"]' in result.output


@pytest.mark.parametrize(
    "source", ["{ workspace = true }", '{ index = "ours" }', '[{ git = "x", marker = "y" }]']
)
def test_what_pip_cannot_do_is_refused_before_anything_is_made(
    project: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulator.cli.sync.find_uv", lambda: None)
    declare(project, "fog", more=f"[tool.uv.sources]\nfog = {source}")
    result = sync(project)
    assert result.exit_code == 1
    assert "[tool.uv.sources] fog is" in result.output and "This needs uv: " in result.output
    assert not (project / ".venv").exists()


def test_sources_and_settings_of_uv_become_arguments_of_pip(project: Path) -> None:
    from emulator.packages.declared import read

    declare(
        project,
        "a[x]>=1; python_version > '3'".replace("'", '"'),
        "b",
        "c",
        "d",
        more='[tool.uv]\nfind-links = ["wheels"]\n'
        '[[tool.uv.index]]\nurl = "https://one.test"\ndefault = true\n'
        '[[tool.uv.index]]\nurl = "https://two.test"\nexplicit = true\n'
        "[tool.uv.sources]\n"
        'a = { git = "https://git.test/a", tag = "v1", subdirectory = "python" }\n'
        'b = { url = "https://files.test/b.whl" }\n'
        'c = { path = "../c", editable = true }\n',
    )
    read_again = read(project / "pyproject.toml")
    command = installer.installation(None, read_again, Path("python"), installer.Wishes())
    assert command[7:] == [
        *("--find-links", str(project / "wheels"), "--index-url", "https://one.test"),
        'a[x] @ git+https://git.test/a@v1#subdirectory=python ; python_version > "3"',
        "b @ https://files.test/b.whl",
        *("--editable", str(project.parent / "c")),
        "d",
    ]
