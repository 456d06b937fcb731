"""The documentation names what exists, and nothing that exists goes unnamed."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from emulator.cli.main import cli
from emulator.config.load import load_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(group: click.Group, prefix: str = "groundfog") -> dict[str, click.Command]:
    """Return every command by its full name: `"groundfog d1 execute"`."""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix} {name}")
        else:
            found[f"{prefix} {name}"] = command
    return found


def all_text() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("name", sorted(commands(cli)))
def test_every_command_is_documented(name: str) -> None:
    assert name in all_text()


def test_every_documented_command_exists() -> None:
    known = commands(cli)
    named = set(re.findall(r"`(groundfog(?: [a-z0-9]+(?:-[a-z0-9]+)*)+)", all_text()))
    for text in named:
        words = text.split()
        reachable = any(
            name == " ".join(words[: len(name.split())]) or name.startswith(text + " ")
            for name in known
        )
        assert reachable, f"{text!r} is no command"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_in_the_documentation_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_folders_of_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in re.findall(r"^\| `([a-z_/]+/)` \|", readme, re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder


def test_the_readme_has_the_commands_that_set_everything_up() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for marker in ("<!-- sample: pip -->", "<!-- tests: pip -->"):
        assert re.search(re.escape(marker) + r"\n```sh\n.+\n```", readme)


def examples(page: Path) -> list[str]:
    """Return the page's blocks of groundfog.toml."""
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if block.startswith("# groundfog.toml")]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page)], ids=lambda page: page.stem
)
def test_every_example_of_groundfog_toml_is_accepted(page: Path, tmp_path: Path) -> None:
    (tmp_path / "entry.py").touch()
    (tmp_path / "wrangler.toml").write_text(
        'name = "x"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        'compatibility_flags = ["python_workers"]\n'
    )
    for text in examples(page):
        (tmp_path / "groundfog.toml").write_text(text, encoding="utf-8")
        load_config(tmp_path, process_env={})
