"""`groundfog workflows check`: whether the code on disk fits instances, or exported histories."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from emulator.checking import Checked, check, instances_of
from emulator.cli import divergences
from emulator.cli.findings import FORMATS, report
from emulator.cli.ink import Colour, Ink
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import show, show_drawn, show_json
from emulator.cli.workflows.check_findings import findings_of
from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.engine.journal.journal import Journal
from emulator.engine.model.divergence import Diverged, Policy
from emulator.engine.model.instance import Instance
from emulator.engine.views.described import Described, is_described, parse_described
from emulator.engine.views.export import parse_history
from emulator.errors import UsageError
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.python.interpreter import guest_interpreter
from emulator.server.http.loop import loop_factory
from emulator.state import State
from emulator.words import Language, counted
from emulator.worker import definitions


@click.command("check")
@click.option("--all", "finished", is_flag=True, help="Check instances that have ended, too.")
@click.option(
    "--history",
    "histories",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file, or a folder of them, instead of the state: of `instances export`, or what"
    " `wrangler workflows instances describe --json` prints.",
)
@click.option("--workflow", help="The workflow of histories that do not name theirs.")
@click.option("--python", type=click.Path(path_type=Path), help="Python that runs the worker.")
@click.option(
    "--format", "output", type=click.Choice(FORMATS), default="text", help="How to print [text]."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@project_options
def check_command(
    options: ProjectOptions,
    finished: bool,
    histories: tuple[Path, ...],
    workflow: str | None,
    python: Path | None,
    output: str,
    as_json: bool,
) -> None:
    """Replay live instances on the code on disk, without executing anything.

    The exit code is 1 if there is an instance that the code does not fit.
    """
    config = load_project(options, runs_code=True)
    if histories:
        if finished:
            raise UsageError(
                "--all is about the state, and --history is about files. Use one of them."
            )
        described = [each for path in histories for each in _read(path, config, workflow)]
        instances = [each.instance for each in described]
        cuts = [each.cut for each in described]
    else:
        journal = Journal.open_to_read(State.locate(config, options.persist_to).journal)
        try:
            instances = _instances(journal, finished)
            cuts = [()] * len(instances)
        finally:
            journal.close()
    interpreter = guest_interpreter(config.project_dir, python, Path(sys.executable))
    checked = [
        replace(each, cut=cut)
        for each, cut in zip(_check(config, interpreter, instances), cuts, strict=True)
    ]
    if as_json or output == "json":
        show_json([_as_json(each) for each in checked])
    elif output != "text":
        report(findings_of(checked, config), output, config.project_dir)
    else:
        if not checked:
            ended = "" if finished else " that has not ended; --all checks the others, too"
            show(f"Nothing to check: no instance{ended}.")
            return
        for text in _told(checked, config.language, Ink.on(sys.stdout)):
            show_drawn(text)
    if any(each.outcome == "diverges" for each in checked):
        sys.exit(1)


def _instances(journal: Journal, finished: bool) -> list[Instance]:
    async def read() -> list[Instance]:  # the journal needs an event loop
        return list(instances_of(journal, finished=finished))

    return asyncio.run(read())


def _check(config: Config, interpreter: Path, instances: list[Instance]) -> list[Checked]:
    async def replay() -> list[Checked]:
        if config.is_python:
            source = Forkserver(interpreter)
            try:
                return await check(config, source, instances, SystemClock().now_ms())
            finally:
                await source.stop()
        from emulator.workerd_parts import source_alone

        async with source_alone(config, report=partial(click.echo, err=True)) as of_workerd:
            return await check(config, of_workerd, instances, SystemClock().now_ms())

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(replay())


def _read(path: Path, config: Config, workflow: str | None) -> Iterator[Described]:
    """Yield the histories of a file, or of the `.json` files of a folder. Raises UsageError."""
    if path.is_dir():
        files = sorted(path.rglob("*.json"))
        if not files:
            raise UsageError(f"{path}: no .json file in this folder")
    else:
        files = [path]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{file}: not UTF-8 text") from None
        document = _described(text)
        if document is None:
            yield Described(parse_history(text, str(file)), ())
        else:
            name = workflow or _workflow_of(file, config)
            yield parse_described(document, name, str(file))


def _described(text: str) -> dict[str, Any] | None:
    """Return a document of production; None if it is something else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if is_described(document) else None


def _workflow_of(file: Path, config: Config) -> str:
    """Return the workflow that a file is about: the only one, or the one that names its folder.

    Raises UsageError.
    """
    names = [definition.name for definition in definitions(config)]
    for name in names:
        if name in (file.parent.name, file.name.partition(".")[0]) or len(names) == 1:
            return name
    raise UsageError(
        f"{file}: production does not say of which workflow this is. Name it: --workflow NAME, or"
        f" put the file into a folder of that name ({', '.join(names)})."
    )


def _told(checked: Sequence[Checked], language: Language, ink: Ink) -> Iterator[str]:
    found = [
        Diverged(each.workflow, each.id, each.divergence, Policy.HOLD, language)
        for each in checked
        if each.divergence is not None
    ]
    for alike in divergences.grouped(found):
        yield divergences.block(alike, ink, only_checked=True) + "\n"
    for each in checked:
        if each.cut and each.divergence is not None:
            cut = f"the output of {', '.join(each.cut)} is cut off, so it cannot be told"
            yield f"{each.workflow} {each.id}: {cut}"
        if each.problem:
            yield f"{each.workflow} {each.id}: {each.problem}"
    counts = [f"{len(checked)} checked"]
    many = {"diverges": ("does not fit", "do not fit"), "unknown": ("cannot be told",) * 2}
    for outcome, words in many.items():
        count = sum(each.outcome == outcome for each in checked)
        if count:
            counts.append(counted(count, *words))
    if len(counts) == 1:
        yield ink(Colour.GREEN, f"{counts[0]}: the code fits")
    else:
        yield ", ".join(counts)


def _as_json(checked: Checked) -> dict[str, object]:
    told: dict[str, object] = {
        "workflow": checked.workflow,
        "id": checked.id,
        "outcome": checked.outcome,
    }
    if checked.problem:
        told["problem"] = checked.problem
    if checked.divergence is not None:
        told["divergence"] = checked.divergence.as_json()
    return told
