"""What counts as another version of the user's code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator import code_version
from emulator.code_version import fingerprint


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src" / "lib").mkdir(parents=True)
    (tmp_path / "src" / "entry.py").write_text("x = 1\n")
    (tmp_path / "src" / "lib" / "tools.py").write_text("y = 2\n")
    (tmp_path / "src" / "prompt.txt").write_text("Be brief.\n")
    (tmp_path / "python_modules").mkdir()
    (tmp_path / "python_modules" / "package.py").write_text("z = 3\n")
    return tmp_path


def code(project: Path) -> str:
    return fingerprint(project / "src", project / "python_modules")


def edit(project: Path) -> None:
    (project / "src" / "entry.py").write_text("x = 2\n")


def add(project: Path) -> None:
    (project / "src" / "lib" / "more.py").write_text("")


def remove(project: Path) -> None:
    (project / "src" / "lib" / "tools.py").unlink()


def rename(project: Path) -> None:
    (project / "src" / "entry.py").rename(project / "src" / "start.py")


def edit_vendored(project: Path) -> None:
    (project / "python_modules" / "package.py").write_text("z = 33\n")


@pytest.mark.parametrize("change", [edit, add, remove, rename, edit_vendored])
def test_changed_code_is_another_version(project: Path, change: Callable[[Path], None]) -> None:
    before = code(project)

    change(project)

    assert code(project) != before


def touch(project: Path) -> None:
    os.utime(project / "src" / "entry.py", (1, 1))


def edit_data(project: Path) -> None:
    (project / "src" / "prompt.txt").write_text("Be long.\n")


def compile_it(project: Path) -> None:
    (project / "src" / "__pycache__").mkdir()
    (project / "src" / "__pycache__" / "entry.py").write_text("")


def save_half(project: Path) -> None:
    (project / "src" / ".#entry.py").write_text("")


@pytest.mark.parametrize("change", [touch, edit_data, compile_it, save_half])
def test_a_save_that_does_not_change_code_is_the_same_version(
    project: Path, change: Callable[[Path], None]
) -> None:
    before = code(project)

    change(project)

    assert code(project) == before


def test_code_that_is_restored_is_the_version_it_was(project: Path) -> None:
    before = code(project)
    edit(project)
    (project / "src" / "entry.py").write_text("x = 1\n")

    assert code(project) == before


def test_a_project_that_has_moved_is_the_same_version(project: Path) -> None:
    before = code(project)
    moved = project.rename(project.with_name("elsewhere"))

    assert code(moved) == before


def test_vendored_packages_beside_the_code_are_not_read(project: Path) -> None:
    package = project / "python_modules" / "package.py"
    before = fingerprint(project, project / "python_modules")
    stat = package.stat()
    package.write_text("z = 4\n")
    os.utime(package, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert fingerprint(project, project / "python_modules") == before


def test_code_past_the_first_megabytes_is_told_by_size_and_time(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_version, "READ_MAX_BYTES", 3)
    before = code(project)

    touch(project)
    touched = code(project)
    edit(project)

    assert len({before, touched, code(project)}) == 3


def test_folders_that_do_not_exist_hold_no_code(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "a", tmp_path / "b") == fingerprint(tmp_path, tmp_path)
