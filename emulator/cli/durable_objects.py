"""`groundfog do`: which Durable Objects have storage, what is in it, and when alarms ring.

The commands only read the files of `.groundfog/do/`; a server may be running.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bindings.durable_objects.contents import Contents, contents, objects_in, values_of
from bindings.durable_objects.namespace import ObjectClass
from emulator.cli.lazy import Group
from emulator.cli.local_options import local_options
from emulator.cli.options import ProjectOptions, load_project
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.state import State

_ID_SHOWN = 12


@click.group(cls=Group)
def durable_objects() -> None:
    """Look into the project's local Durable Objects."""


@durable_objects.command("list")
@click.argument("class_name", metavar="[CLASS]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("Durable Objects")
def list_objects(options: ProjectOptions, class_name: str | None, as_json: bool) -> None:
    """Show each object that has storage: of CLASS, or of all classes."""
    found = [
        _told(of, _read(file))
        for of, folder in _classes(options, class_name)
        for file in objects_in(folder)
    ]
    if as_json:
        show_json(found)
    elif not found:
        say("No Durable Object has storage.")
    else:
        show(draw_table(("class", "id", "name", "keys", "tables", "bytes", "alarm"), _rows(found)))


@durable_objects.command("storage")
@click.argument("class_name", metavar="CLASS")
@click.argument("which", metavar="OBJECT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("Durable Objects")
def storage(options: ProjectOptions, class_name: str, which: str, as_json: bool) -> None:
    """Show keys and tables of OBJECT: its name, its id, or the beginning of that."""
    file, found = _chosen(options, class_name, which)
    try:
        values = values_of(file)
    except WorkerError as error:
        raise EmulatorError(str(error)) from None
    if as_json:
        show_json({"keys": {key: _json(text) for key, text in values.items()}, **_own(found)})
        return
    if values:
        show(draw_table(("key", "value"), list(values.items())))
    if found.tables:
        show(draw_table(("table", "rows"), list(found.tables.items())))
    if not values and not found.tables:
        say("The storage is empty.")


@durable_objects.command("alarm")
@click.argument("class_name", metavar="CLASS")
@click.argument("which", metavar="OBJECT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("Durable Objects")
def alarm(options: ProjectOptions, class_name: str, which: str, as_json: bool) -> None:
    """Show when the alarm of OBJECT rings, and how often it has failed."""
    _, found = _chosen(options, class_name, which)
    alarm = found.about.alarm
    if alarm is None:
        show_json(None) if as_json else say("No alarm.")
    elif as_json:
        show_json({"at_ms": alarm.at_ms, "due_ms": alarm.due_ms, "retries": alarm.retries})
    else:
        failed = f", after {alarm.retries} failures" if alarm.retries else ""
        say(f"{_time(alarm.due_ms)}{failed}")


def _classes(options: ProjectOptions, class_name: str | None) -> list[tuple[ObjectClass, Path]]:
    """Return classes and the folders of their objects. Raises UsageError for an unknown class."""
    config = load_project(options)
    state = State.locate(config, options.persist_to)
    known = {bound.record.name: bound.record for bound in config.bound(ObjectClass)}
    if class_name is not None and class_name not in known:
        raise UsageError(
            f"The configuration has no Durable Object class {class_name}.\n"
            f"  There are: {', '.join(known) or 'none'}."
        )
    return [
        (each, state.objects(each.unique_key))
        for name, each in known.items()
        if class_name in (None, name)
    ]


def _chosen(options: ProjectOptions, class_name: str, which: str) -> tuple[Path, Contents]:
    ((_, folder),) = _classes(options, class_name)
    found = [(file, _read(file)) for file in objects_in(folder)]
    exact = [each for each in found if which in (each[1].about.id, each[1].about.name)]
    chosen = exact or [each for each in found if each[1].about.id.startswith(which)]
    if len(chosen) != 1:
        what = f"{len(chosen)} objects" if chosen else "no object with storage"
        raise UsageError(
            f"{class_name} has {what} with the name or id {which}.\n"
            f"  groundfog do list {class_name} shows them."
        )
    return chosen[0]


def _read(file: Path) -> Contents:
    try:
        return contents(file)
    except WorkerError as error:
        raise EmulatorError(str(error)) from None


def _told(of: ObjectClass, found: Contents) -> dict[str, Any]:
    alarm = found.about.alarm
    return {
        "class": of.name,
        "id": found.about.id,
        "name": found.about.name,
        "keys": found.keys,
        **_own(found),
        "bytes": found.size,
        "alarm_ms": None if alarm is None else alarm.due_ms,
    }


def _own(found: Contents) -> dict[str, Any]:
    return {"tables": found.tables}


def _rows(found: list[dict[str, Any]]) -> list[list[object]]:
    return [
        [
            each["class"],
            f"{each['id'][:_ID_SHOWN]}…",
            each["name"] or "",
            each["keys"],
            len(each["tables"]),
            each["bytes"],
            "" if each["alarm_ms"] is None else _time(each["alarm_ms"]),
        ]
        for each in found
    ]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
