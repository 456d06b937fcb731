"""`groundfog init`: what it writes. `scripts/check-templates` runs and deploys each project."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.init import CHOICES, worker_name
from emulator.cli.main import cli
from emulator.config.load import load_config


def init(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["init", str(folder), *words])


@pytest.mark.parametrize("template", CHOICES)
def test_each_template_is_a_project_with_the_name_of_its_folder(
    tmp_path: Path, template: str
) -> None:
    done = init(tmp_path / "My Shop", "--template", template)

    assert done.exit_code == 0, done.output
    config = load_config(tmp_path / "My Shop", process_env={}, runs_code=True)
    assert config.name == ("my-shop" if template != "brief-analysis" else template)
    assert config.warnings == ()
    assert (config.project_dir / ".gitignore").read_text().startswith(".groundfog/\n")
    assert "my-worker" not in "".join(
        path.read_text() for path in config.project_dir.rglob("*") if path.is_file()
    )
    assert f"  cd {tmp_path / 'My Shop'}" in done.stdout
    migrates = (config.project_dir / "migrations").is_dir()
    assert ("groundfog dev --migrate" in done.stdout) is migrates


def test_no_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "entry.py").write_text("mine")

    done = init(tmp_path)

    assert done.exit_code == 1
    assert "already has src/entry.py. Nothing was written." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["src"]
    assert (tmp_path / "src" / "entry.py").read_text() == "mine"


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    assert init(tmp_path).exit_code == 0
    assert {"notes.txt", "wrangler.toml"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Shop!", "my-shop"), ("日本", "my-worker"), ("a" * 80, "a" * 63), ("-x_y-", "x-y")],
)
def test_the_name_of_a_folder_becomes_one_that_cloudflare_accepts(folder: str, name: str) -> None:
    assert worker_name(folder) == name


def test_without_a_project_the_way_to_one_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["dev", str(tmp_path)])

    assert done.exit_code == 1
    assert "Begin a project there with `groundfog init`" in done.stderr
