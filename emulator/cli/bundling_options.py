"""The options of `groundfog dev` that say how TypeScript is bundled, as wrangler dev has them.

Imports next to nothing, for the start.

Each takes the place of a key of the configuration; a `--define` and an `--alias` of one name only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from emulator.errors import UsageError

if TYPE_CHECKING:
    from emulator.config.model import Bundling, Config

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--define", "defines", multiple=True, help="NAME:VALUE of a global, as code."),
    click.option("--alias", "aliases", multiple=True, help="MODULE:TARGET to import in its place."),
    click.option("--minify/--no-minify", default=None, help="Minify the bundle."),
    click.option("--bundle/--no-bundle", default=None, help="Bundle the code."),
    click.option("--tsconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
    click.option("--jsx-factory", help="The function that JSX calls."),
    click.option("--jsx-fragment", help="What stands for a fragment of JSX."),
)


class BundlingOptions(NamedTuple):
    """What was typed; None and empty: nothing."""

    defines: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    minify: bool | None = None
    bundle: bool | None = None
    tsconfig: Path | None = None
    jsx_factory: str | None = None
    jsx_fragment: str | None = None


def bundling_options(command: Command) -> Command:
    """Add the options to a command, which gets them under the names of `BundlingOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def bundled_so(config: Config, options: BundlingOptions) -> Config:
    """Return the configuration with the options. Raises UsageError."""
    from msgspec.structs import replace

    changes = _changes(config.bundling, options)
    return replace(config, bundling=replace(config.bundling, **changes)) if changes else config


def check_language(config: Config, options: BundlingOptions) -> None:
    """Raise UsageError for a worker whose code is not bundled."""
    if config.is_python and options != BundlingOptions():
        typed = next(name for name, value in options._asdict().items() if value not in (None, ()))
        option = _NAMES.get(typed, f"--{typed.replace('_', '-')}")
        raise UsageError(
            f"{option} is for TypeScript and JavaScript workers, and main is {config.main.name}"
            f" ({config.path.name})."
        )


_NAMES = {"defines": "--define", "aliases": "--alias", "bundle": "--no-bundle"}


def _changes(usual: Bundling, options: BundlingOptions) -> dict[str, Any]:
    given: dict[str, Any] = {
        "minify": options.minify,
        "tsconfig": options.tsconfig and Path(os.path.abspath(options.tsconfig)),
        "jsx_factory": options.jsx_factory,
        "jsx_fragment": options.jsx_fragment,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if options.bundle is not None:
        changes["no_bundle"] = not options.bundle
    if not (options.defines or options.aliases):
        return changes
    from emulator.config.bundling_section import parse_pair_flags

    if options.defines:
        changes["define"] = {**usual.define, **parse_pair_flags("--define", options.defines)}
    if options.aliases:
        aliases = {
            name: os.path.abspath(target) if target.startswith(".") else target
            for name, target in parse_pair_flags("--alias", options.aliases).items()
        }
        changes["alias"] = {**usual.alias, **aliases}
    return changes
