"""esbuild and workerd are found where npm puts them, and what is missing is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator.bundling.tools import (
    ESBUILD,
    WORKERD,
    ToolError,
    find_program,
    install_command,
    machine_of,
)


def install(folder: Path, name: str, version: str, binary: str = "") -> Path:
    """Put an npm package into `folder`'s node_modules."""
    package = folder / "node_modules" / name
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": version}))
    if binary:
        (package / "bin").mkdir()
        (package / "bin" / binary).write_text("")
    return package


def install_esbuild(folder: Path, version: str) -> Path:
    install(folder, "esbuild", version)
    machine = machine_of(ESBUILD)
    return install(folder, f"@esbuild/{machine}", version, "esbuild") / "bin" / "esbuild"


def test_a_program_is_found_in_a_folder_above(tmp_path: Path) -> None:
    path = install_esbuild(tmp_path, "0.28.2")
    project = tmp_path / "packages" / "api"
    project.mkdir(parents=True)

    found = find_program(ESBUILD, project, {})

    assert (found.path, found.version) == (path, "0.28.2")


def test_wranglers_own_esbuild_has_priority(tmp_path: Path) -> None:
    install_esbuild(tmp_path, "0.19.0")
    wrangler = install(tmp_path, "wrangler", "4.164.0")
    own = install_esbuild(wrangler, "0.28.2")

    assert find_program(ESBUILD, tmp_path, {}).path == own


def test_an_esbuild_that_is_too_old_is_passed_over_or_told(tmp_path: Path) -> None:
    wrangler = install(tmp_path, "wrangler", "3.114.0")
    install_esbuild(wrangler, "0.17.19")
    with pytest.raises(ToolError, match="Run `npm install -D wrangler@4` in") as caught:
        find_program(ESBUILD, tmp_path, {})
    assert "esbuild 0.17.19 is too old" in str(caught.value)

    own = install_esbuild(tmp_path, "0.25.0")
    assert find_program(ESBUILD, tmp_path, {}).path == own


def test_links_of_other_package_managers_are_followed(tmp_path: Path) -> None:
    store = tmp_path / "node_modules" / ".pnpm" / "wrangler@4"
    wrangler = install(store, "wrangler", "4.164.0")
    path = install_esbuild(store, "0.28.2")
    (tmp_path / "node_modules" / "wrangler").symlink_to(wrangler)

    assert find_program(ESBUILD, tmp_path, {}).path == path


def test_another_folder_can_be_named(tmp_path: Path) -> None:
    path = install_esbuild(tmp_path / "tools", "0.28.2")
    project = tmp_path / "project"
    project.mkdir()

    assert find_program(ESBUILD, project, {"GROUNDFOG_TOOLS": str(tmp_path / "tools")}).path == path


def test_a_missing_program_names_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        find_program(WORKERD, tmp_path, {})

    assert "workerd was not found." in str(caught.value)
    assert f"Run `npm install -D wrangler` in {tmp_path}." in str(caught.value)


def test_a_program_for_another_machine_is_told(tmp_path: Path) -> None:
    install(tmp_path, "workerd", "1.20261117.1")
    install(tmp_path, "@cloudflare/workerd-plan9-arm64", "1.20261117.1", "workerd")

    with pytest.raises(ToolError) as caught:
        find_program(WORKERD, tmp_path, {})

    assert f"has workerd for plan9-arm64, and this machine is {machine_of(WORKERD)}" in str(
        caught.value
    )
    assert "Delete node_modules and run `npm install -D wrangler` here." in str(caught.value)


def test_a_named_program_that_cannot_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="Unset ESBUILD_BINARY_PATH"):
        find_program(ESBUILD, tmp_path, {"ESBUILD_BINARY_PATH": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("lock", "listed", "command"),
    [
        ("package-lock.json", True, "npm install"),
        ("package-lock.json", False, "npm install -D wrangler"),
        ("pnpm-lock.yaml", False, "pnpm add -D wrangler"),
        ("yarn.lock", True, "yarn install"),
        ("bun.lock", False, "bun add -d wrangler"),
    ],
)
def test_the_command_is_that_of_the_projects_package_manager(
    tmp_path: Path, lock: str, listed: bool, command: str
) -> None:
    needs = {"devDependencies": {"wrangler": "^4"}} if listed else {}
    (tmp_path / "package.json").write_text(json.dumps(needs))
    (tmp_path / lock).write_text("")

    assert install_command(tmp_path) == command
