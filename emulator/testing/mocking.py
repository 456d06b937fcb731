"""What a test mocks in the workflows of its worker."""

from __future__ import annotations

from typing import Any

from emulator.testing.instances import workflow_of
from emulator.testing.mocks import Mock
from emulator.testing.operations import Args, asked
from emulator.testing.refusals import Refused
from emulator.testing.subject import Subject


@asked("mock")
async def mock(subject: Subject, args: Args) -> None:
    """Add a mock. `args` are the fields of `Mock`, with `binding` for the workflow."""
    fields = {name: value for name, value in args.items() if name != "binding"}
    if isinstance(fields.get("error"), list):
        fields["error"] = tuple(fields["error"])
    subject.mocks.add(Mock(workflow=workflow_of(subject, args["binding"]), **fields))


@asked("unmock")
async def unmock(subject: Subject, args: Args) -> None:
    """Remove mocks by their numbers."""
    for number in args["numbers"]:
        subject.mocks.remove(number)


@asked("mock.used")
async def used(subject: Subject, args: Args) -> int:
    """Return how often a mock was used."""
    return subject.mocks.used(args["number"])


@asked("mocks.unused")
async def unused(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the mocks that were never used: `{"number", "mocked", "workflow", "step", "called"}`.

    called: the names of the steps that were.
    """
    return [
        {
            "number": mock.number,
            "mocked": mock.shown,
            "workflow": mock.workflow,
            "step": mock.step,
            "called": called,
        }
        for mock, called in subject.mocks.unused()
    ]


@asked("release")
async def release(subject: Subject, args: Args) -> None:
    """Let held steps begin."""
    workflow = workflow_of(subject, args["binding"])
    mine = [
        held
        for held in subject.held
        if held.call.workflow == workflow
        and args["step"] == held.call.name
        and args["index"] in (0, held.call.count)
        and args["instance"] in ("", held.call.instance)
    ]
    if not mine:
        raise Refused(f'No step "{args["step"]}" is held. wait_for_step() waits until one is.')
    for held in mine:
        subject.held.remove(held)
        subject.mocks.remove(held.mock.number)
        held.go_on()
