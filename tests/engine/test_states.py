"""The state of a run: every pair of state and event, and the picture of it in ARCHITECTURE.md."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from itertools import product
from pathlib import Path
from typing import cast

import pytest

from emulator.engine.runs.states import (
    ALLOWANCES,
    GATES,
    RESTS,
    Allowance,
    AtRest,
    Event,
    Gate,
    RunState,
)

ROOT = Path(__file__).parent.parent.parent

Joint = tuple[Allowance, Gate, AtRest]
BEGINNINGS = (Gate.OPEN, Gate.GUARDED, Gate.REFUSING)


def state(joint: Joint) -> RunState:
    found = RunState()
    found.allowance, found.gate, found.at_rest = joint
    return found


def joint(of: RunState) -> Joint:
    return of.allowance, of.gate, of.at_rest


def reachable() -> set[Joint]:
    """Every state that a run can come to, whatever happens in whatever order."""
    found = {joint(RunState(gate)) for gate in BEGINNINGS}
    due = deque(found)
    while due:
        before = due.popleft()
        for event in Event:
            after = state(before)
            after.happens(event)
            if joint(after) not in found:
                found.add(joint(after))
                due.append(joint(after))
    return found


REACHABLE = sorted(reachable(), key=lambda each: [part.value for part in each])
PAIRS = list(product(REACHABLE, Event))


def after(before: Joint, event: Event) -> RunState:
    found = state(before)
    found.happens(event)
    return found


@pytest.mark.parametrize("gate", BEGINNINGS)
def test_a_run_begins_while_its_history_is_on_the_way(gate: Gate) -> None:
    assert joint(RunState(gate)) == (Allowance.OPENING, gate, AtRest.NOTHING)


def test_every_pair_of_state_and_event_leads_where_the_tables_say() -> None:
    for before, event in PAIRS:
        allowance, gate, at_rest = before
        found = after(before, event)

        assert found.allowance is ALLOWANCES[allowance].get(event, allowance)
        assert found.at_rest is RESTS[at_rest].get(event, at_rest)
        expected = GATES[gate].get(event, gate)
        if expected in (Gate.OPEN, Gate.SHUT):
            expected = Gate.SHUT if found.leaves or found.pauses else Gate.OPEN
        assert found.gate is expected, (before, event)


def test_an_event_that_changes_nothing_says_so() -> None:
    for before, event in PAIRS:
        found = state(before)

        assert found.happens(event) is (joint(found) != before), (before, event)


@pytest.mark.parametrize("table", [ALLOWANCES, GATES, RESTS])
def test_each_state_has_a_row_and_each_row_leads_to_another_state(
    table: dict[Enum, dict[Event, Enum]],
) -> None:
    assert set(table) == set(type(next(iter(table))))
    for before, row in table.items():
        assert before not in row.values()


def test_each_event_is_news_to_some_state() -> None:
    news = {event for before, event in PAIRS if joint(after(before, event)) != before}

    assert news == set(Event)


def test_a_gate_is_shut_exactly_while_a_run_is_to_pause_or_to_leave() -> None:
    for _, gate, at_rest in REACHABLE:
        if gate in (Gate.OPEN, Gate.SHUT):
            assert (gate is Gate.OPEN) is (at_rest in (AtRest.NOTHING, AtRest.DROP))


def test_a_run_that_is_to_leave_never_stays() -> None:
    for before, event in PAIRS:
        if state(before).leaves:
            assert after(before, event).leaves, (before, event)


def test_only_a_resume_and_a_rollback_call_a_pause_off() -> None:
    for before, event in PAIRS:
        if state(before).pauses and event not in (Event.RESUME, Event.ROLLS_BACK):
            assert after(before, event).pauses, (before, event)


def test_a_pause_and_its_resume_leave_no_trace_but_that_the_run_is_not_dropped() -> None:
    for before in REACHABLE:
        found = state(before)
        if found.pauses:
            continue
        found.happens(Event.PAUSE)
        found.happens(Event.RESUME)

        expected = AtRest.NOTHING if before[2] is AtRest.DROP else before[2]
        assert joint(found) == (*before[:2], expected)


def test_what_a_guest_was_told_to_ask_it_never_begins_by_itself_again() -> None:
    for before, event in PAIRS:
        if before[0] in (Allowance.RECALLING, Allowance.ASKING):
            assert after(before, event).allowance in (before[0], Allowance.ASKING)


def test_after_the_answer_to_the_recall_the_engine_knows_what_executes() -> None:
    for before in REACHABLE:
        found = state(before)
        found.happens(Event.ASKS)

        assert found.knows_all, before


def test_no_step_begins_in_a_guarded_run_before_the_code_fits() -> None:
    for before, event in PAIRS:
        if before[1] is Gate.GUARDED and event not in (Event.FITS, Event.ROLLS_BACK):
            assert after(before, event).gate is Gate.GUARDED


def test_a_guarded_run_that_fits_while_it_is_to_pause_begins_nothing() -> None:
    for before in REACHABLE:
        if before[1] is Gate.GUARDED and (state(before).pauses or state(before).leaves):
            assert after(before, Event.FITS).gate is Gate.SHUT


def test_a_run_that_rolls_back_refuses_steps_for_as_long_as_it_lives() -> None:
    for before, event in PAIRS:
        if before[1] is Gate.REFUSING or event is Event.ROLLS_BACK:
            assert after(before, event).gate is Gate.REFUSING


def picture() -> Iterator[str]:
    """Return the tables as ARCHITECTURE.md draws them: a line for each transition."""
    for name, table in (("allowance", ALLOWANCES), ("gate", GATES), ("at rest", RESTS)):
        for before, row in cast(dict[Enum, dict[Event, Enum]], table).items():
            for event, then in row.items():
                yield f"{name:<9}  {before.value:<13} ── {event.value} ──▶ {then.value}"
        yield ""


def test_the_picture_in_the_architecture_is_that_of_the_tables() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = "\n".join(picture()).rstrip()

    assert drawn in text, f"put this into ARCHITECTURE.md:\n{drawn}"
