"""Finds and opens an index for a command, and shows its refusals as errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bindings.vectorize.errors import Refused
from bindings.vectorize.index import Index
from emulator.cli.options import ProjectOptions, load_project
from emulator.cli.output import say
from emulator.config.model import Config
from emulator.config.problems import nearest
from emulator.errors import EmulatorError, UsageError
from emulator.kinds.vectorize import VectorIndex, index_named
from emulator.state import State


def takes_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the option --json as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def index_names(config: Config, state: State) -> dict[str, Path]:
    """Return every index that is configured or has a file, by name."""
    found = {bound.record.name: bound.record.path(state) for bound in config.bound(VectorIndex)}
    paths = set(found.values())
    for path in sorted((state.directory / "vectorize").glob("*.sqlite")):
        if path not in paths:
            found[path.stem] = path
    return found


@contextmanager
def opened(options: ProjectOptions, name: str, *, new: bool = False) -> Iterator[Index]:
    """Open the index NAME of the project. Raises UsageError if it does not exist, unless `new`.

    Its announcements go to standard error; its refusals become an EmulatorError.
    """
    config = load_project(options)
    state = State.locate(config, options.persist_to)
    known = index_names(config, state)
    if name not in known and not new:
        raise _unknown(name, list(known))
    state.prepare()
    wanted = index_named(config, name)
    index = Index(wanted.path(state), name, wanted.config)
    try:
        yield index
    except Refused as refused:
        raise EmulatorError(f"{name}: {refused.text} (code {refused.code})") from None
    except sqlite3.Error as error:
        raise EmulatorError(f"{index.path}: {error}") from None
    finally:
        index.close()
        for text in index.announcements:
            say(text)


def _unknown(name: str, known: list[str]) -> UsageError:
    close = nearest(name, known)
    hint = f'Did you mean "{close}"?' if close else f"There are: {', '.join(known) or 'none'}."
    return UsageError(
        f'There is no Vectorize index named "{name}". {hint}\n'
        f"  To make it: groundfog vectorize create {name} --dimensions=N --metric=cosine"
    )
