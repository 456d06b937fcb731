"""The life of a worker under test: restarted, killed, edited; its runs dropped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from emulator.engine.guard import held
from emulator.engine.model.instance import Status
from emulator.testing.instances import Place
from emulator.testing.operations import Args, asked
from emulator.testing.project_copy import ProjectCopy
from emulator.testing.refusals import NoSuch, Refused
from emulator.testing.subject import Subject, load_refused


@asked("restart")
async def restart(subject: Subject, args: Args) -> None:
    """Stop the worker, and start it on the same state."""
    await subject.restart()


@asked("kill")
async def kill(subject: Subject, args: Args) -> None:
    """Kill the guest now, as memory that runs out would; another one takes its place."""
    guest = subject.supervisor.runner.current
    if guest is not None:
        os.kill(guest.pid, signal.SIGKILL)
        await guest.ended()


@asked("hibernate")
async def hibernate(subject: Subject, args: Args) -> list[str]:
    """Drop runs that only wait; return the ids of their instances."""
    await subject.worker.timekeeper.at_rest()
    found = []
    for run in list(subject.engine.roster.runs):
        instance = run.instance
        if args["instance"] not in (None, instance.id):
            continue
        if subject.engine.idle.end(run):
            found.append(instance.id)
        elif args["instance"] is not None:
            place = Place(subject, instance.workflow, instance.id)
            text = f"{instance.id} does not only wait, so it cannot hibernate."
            raise Refused(f"{text}\n{place.timeline()}")
    wanted = args["instance"]
    if wanted is not None and not any(row.id == wanted for row in subject.engine.journal.every()):
        raise NoSuch(f"There is no instance {wanted}.")
    return found


@asked("edit")
async def edit(subject: Subject, args: Args) -> None:
    """Change files of a copy of the project, and load the code as it is then."""
    copy = subject.project_copy
    if copy is None:
        copy = ProjectCopy.of(subject.options, subject.config.project_dir, subject.folder)
        subject.project_copy, subject.options = copy, copy.options
    changed = copy.write(args["files"])
    if not await subject.reload(changed):
        failed = subject.supervisor.failed_load()
        if failed is not None:
            raise load_refused(failed)
        raise Refused("\n".join(subject.logs.problems()) or "The code cannot be loaded.")


@asked("source")
async def source(subject: Subject, args: Args) -> str:
    """Return a file of the project as it is now."""
    path: Path = subject.worker.config.project_dir / args["path"]
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise NoSuch(f"{args['path']} cannot be read: {error}") from None


@asked("held")
async def held_instances(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the instances that are held because of changed code."""
    found = []
    for row in subject.engine.journal.unfinished():
        instance = subject.engine.roster.sound(row.key)
        if row.status is not Status.PAUSED or instance is None or not instance.is_held:
            continue
        divergence = held.divergence_of(instance)
        language = subject.engine.roster.language_of(row.workflow)
        line = next((each.line for each in divergence.findings if each.line), "")
        why = held.summary(divergence, language)
        found.append({"workflow": row.workflow, "id": row.id, "why": why, "line": line})
    return found
