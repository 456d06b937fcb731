"""`groundfog init`: writes a small project that runs here, has tests, and can be deployed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from emulator.cli.output import show
from emulator.errors import UsageError

TEMPLATES = Path(__file__).parents[1] / "templates"
OWN_NAME = "my-worker"  # of each template; the new project has its own in its place
SAMPLE = "brief-analysis"
NAME_MAX_CHARS = 63  # it becomes a part of a host name: RFC 1035, section 2.3.4
_MADE_FILES = {"__pycache__", ".groundfog", ".wrangler", ".pytest_cache", "node_modules"}


class Template(Struct, frozen=True):
    """A project that can be written. commands: what to type next, in its folder."""

    name: str
    what: str
    commands: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return TEMPLATES / self.name


_PYTHON = ("groundfog dev", "pytest", "uv run pywrangler deploy")
_TYPESCRIPT = ("npm install", "groundfog dev", "npm test", "npx wrangler deploy")
CHOICES = {
    template.name: template
    for template in (
        Template("hello", "answers a request", _PYTHON),
        Template("workflow", "a durable workflow and a D1 database", _PYTHON),
        Template("rag", "answers questions from documents: AI and Vectorize", _PYTHON),
        Template("fastapi", "FastAPI and a D1 database", ("groundfog sync", *_PYTHON)),
        Template("typescript", "a durable workflow in TypeScript", _TYPESCRIPT),
        Template(SAMPLE, "the sample of the tour, with all of these", _PYTHON[:2]),
    )
}
_MEANINGS = {
    "groundfog sync": "installs FastAPI into .venv",
    "npm install": "wrangler, with esbuild and workerd",
    "groundfog dev": "runs it on http://localhost:8787",
    "groundfog dev --migrate": "creates its tables and runs it on http://localhost:8787",
    "pytest": "runs its tests (pip install groundfog pytest)",
    "npm test": "runs its tests",
    "uv run pywrangler deploy": "puts it on Cloudflare",
    "npx wrangler deploy": "puts it on Cloudflare",
}


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template",
    "-t",
    "name",
    type=click.Choice(list(CHOICES)),
    default="hello",
    show_default=True,
    help="What the project begins with.",
)
def init(directory: Path, name: str) -> None:
    """Write a small project into DIRECTORY, which is made if it is missing.

    It runs here, has tests, and can be deployed as it is. No file is replaced.
    """
    template = CHOICES[name]
    written = write_project(template, directory)
    show(f"Wrote a project into {_shown(directory)}: {template.what}")
    for path in written:
        show(f"  {path}")
    show("\nNext:")
    for command, meaning in _next_commands(template, directory):
        show(f"  {command:<26}{meaning}".rstrip())


def write_project(template: Template, directory: Path) -> list[Path]:
    """Write the files of a template, named after the folder; return their paths inside of it.

    Raises UsageError if one of them exists already. Then nothing is written.
    """
    files = dict(sorted(_files(template.folder)))
    taken = [str(path) for path in files if (directory / path).exists()]
    if taken:
        raise UsageError(
            f"{_shown(directory)} already has {', '.join(taken)}. Nothing was written.\n"
            "  Give another folder: groundfog init NAME"
        )
    name = worker_name(directory.resolve().name)
    for path, text in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace(OWN_NAME, name), encoding="utf-8")
    return list(files)


def worker_name(folder: str) -> str:
    """Return a name that Cloudflare accepts: `"My Shop!"` gives `"my-shop"`."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")
    return name[:NAME_MAX_CHARS].rstrip("-") or OWN_NAME


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if path.is_file() and _MADE_FILES.isdisjoint(inside.parts):
            yield inside, path.read_text(encoding="utf-8")


def _shown(directory: Path) -> str:
    return "this folder" if directory == Path(".") else str(directory)


def _next_commands(template: Template, directory: Path) -> Iterator[tuple[str, str]]:
    if directory != Path("."):
        yield f"cd {directory}", ""
    has_tables = (template.folder / "migrations").is_dir()
    for command in template.commands:
        migrates = has_tables and command == "groundfog dev"
        shown = f"{command} --migrate" if migrates else command
        yield shown, _MEANINGS[shown]
