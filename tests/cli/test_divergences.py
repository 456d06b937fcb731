"""The block about instances that changed code no longer fits, as the documentation shows it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from emulator.cli.divergences import block, grouped, one_more_line
from emulator.cli.ink import Ink
from emulator.cli.levels import Level
from emulator.cli.names import InstanceName
from emulator.cli.terminal import ConsoleTerminal
from emulator.engine.guard.comparison import Asked, ReplayReport, compare
from emulator.engine.model.divergence import Diverged, Policy
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.step import Step, StepState
from emulator.words import Language

PAGE = Path(__file__).parents[2] / "docs" / "reload.md"
LINE = "src/entry.py:{}"
ORDER = Step("do:1:order", StepState.SUCCEEDED, line=LINE.format(19))
CHARGE = Step("do:1:charge", StepState.SUCCEEDED, line=LINE.format(19))
SETTLE = Step("sleep:1:settle", StepState.SLEEPING, line=LINE.format(20))
RECORDED = [ORDER, CHARGE, SETTLE]
RENAMED = ReplayReport(
    [
        Asked("do", "order", 1, LINE.format(19)),
        Asked("do", "charge card", 1, LINE.format(19), {}),
    ]
)


def diverged(
    instance: str = "order-17",
    replay: ReplayReport = RENAMED,
    action: Policy = Policy.HOLD,
    language: Language = Language.PYTHON,
) -> Diverged:
    divergence = compare(RECORDED, replay, now_ms=0)
    assert divergence is not None
    return Diverged("orders", instance, divergence, action, language)


def test_the_block_is_the_one_in_the_documentation() -> None:
    shown = block([diverged()], Ink(False))

    assert f"```\n{shown}\n```" in PAGE.read_text(encoding="utf-8")


def test_instances_that_diverged_in_the_same_way_share_a_block_and_are_counted() -> None:
    ids = [f"i{n}" for n in range(8)]
    (alike,) = grouped(diverged(instance) for instance in ids)
    shown = block(alike, Ink(False))

    assert shown.startswith(
        "8 instances of orders (i0, i1, i2, i3, i4 and 3 more) are held: their code no longer"
    )
    assert shown.endswith("With --all, resume does the same for all of them.")
    assert one_more_line(alike[:1]) == "orders i0: held in the same way"


@pytest.mark.parametrize(
    ("action", "heading"),
    [
        (
            Policy.WARN,
            "orders order-17 goes on, although its code no longer asks for what was done.",
        ),
        (Policy.FAIL, "orders order-17 was ended with an error: its code no longer asks for what"),
    ],
)
def test_where_there_is_nothing_to_choose_no_commands_are_shown(
    action: Policy, heading: str
) -> None:
    shown = block([diverged(action=action)], Ink(False))

    assert shown.startswith(heading)
    assert "groundfog workflows" not in shown


def test_a_run_that_could_not_be_waited_for_is_told_as_that() -> None:
    replay = ReplayReport([], "restless", "waiting at src/entry.py:40")
    shown = block([diverged(replay=replay, action=Policy.WARN)], Ink(False))

    assert shown.startswith("orders order-17 could not be compared with its code and goes on.")
    assert "It does I/O outside steps (waiting at src/entry.py:40)" in shown


def test_what_run_would_raise_is_told() -> None:
    replay = ReplayReport([], "ended", "KeyError: 'id'")
    shown = block([diverged(replay=replay)], Ink(False))

    assert "If it continued: it would end with KeyError: 'id'." in shown


def test_names_with_control_characters_do_not_drive_the_terminal() -> None:
    replay = ReplayReport([Asked("do", "a\x1b[2J", 1, "", {})])

    assert "\x1b" not in block([diverged("id\x1b[2J", replay)], Ink(False))


def test_names_are_quoted_for_the_shell() -> None:
    shown = block([diverged("it's")], Ink(False))

    assert """resume orders 'it'"'"'s' --rename 'charge=charge card'""" in shown


@pytest.mark.parametrize(
    ("language", "called"),
    [(Language.PYTHON, "wait_for_event"), (Language.TYPESCRIPT, "waitForEvent")],
)
def test_steps_are_called_as_the_language_of_the_worker_calls_them(
    language: Language, called: str
) -> None:
    waits = ReplayReport(
        [Asked("do", "order", 1), Asked("waitForEvent", "charge", 1, options={"type": "paid"})]
    )

    shown = block([diverged(replay=waits, language=language)], Ink(False))

    assert f'"charge" was a do and is a {called} now' in shown
    assert f"+ {called} " in shown


@pytest.mark.parametrize(
    ("then", "last"), [("progress", "the code fits again"), ("reloaded", "reloaded in")]
)
def test_what_is_told_of_an_instance_is_told_in_the_order_in_which_it_happened(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], then: str, last: str
) -> None:
    """A block waits for others alike; what happens to its instance meanwhile comes after it."""
    monkeypatch.setattr(sys, "stdout", sys.stderr)  # as for a person, who sees both in one place

    async def main() -> None:
        terminal = ConsoleTerminal(Level.INFO, Path())
        terminal.diverged(diverged())
        created = Entry(1, 0, EntryKind.WORKFLOW_QUEUED)
        terminal.progress(InstanceName.of("orders", "order-18"), "created", created)
        if then == "progress":
            fits = Entry(2, 0, EntryKind.WORKFLOW_RESUMED)
            text = "the code fits again; it goes on"
            terminal.progress(InstanceName.of("orders", "order-17"), text, fits)
        else:
            terminal.reloaded(frozenset(), 1)
        terminal.close()

    asyncio.run(main())

    told = capfd.readouterr().err
    places = [told.index(text) for text in ("order-18: created", "order-17 is held", last)]
    assert places == sorted(places)
