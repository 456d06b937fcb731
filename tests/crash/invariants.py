"""What must hold when all is over, whatever was killed: the journal against ledger and client."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.engine import outputs
from emulator.engine.journal import Journal
from emulator.engine.model import Entry, EntryKind, Instance, Status
from emulator.protocol import values
from emulator.protocol.values import StreamValue
from tests.crash.driver import Driver
from tests.crash.scripts import Script
from tests.engine.soundness import unsound

ATTEMPT_STARTS = frozenset({EntryKind.ATTEMPT_START, EntryKind.ROLLBACK_ATTEMPT_START})
ATTEMPT_ENDS = frozenset(
    {
        EntryKind.ATTEMPT_SUCCESS,
        EntryKind.ATTEMPT_FAILURE,
        EntryKind.ATTEMPT_INTERRUPTED,
        EntryKind.ROLLBACK_ATTEMPT_SUCCESS,
        EntryKind.ROLLBACK_ATTEMPT_FAILURE,
    }
)
RESULTS = frozenset({EntryKind.STEP_SUCCESS, EntryKind.STEP_FAILURE, EntryKind.WAIT_COMPLETE})
# What becomes of a step's attempts, rollbacks left out: their steps have keys of their own.
DO_KINDS = (
    EntryKind.ATTEMPT_START,
    EntryKind.ATTEMPT_FAILURE,
    EntryKind.ATTEMPT_INTERRUPTED,
    EntryKind.STEP_FAILURE,
)


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the ledger; see `worker.py`."""

    what: str
    step: str
    at_ms: int
    value: Any
    attempt: int


def violations(
    journal_path: Path, ledger: Path, scripts: Sequence[Script], driver: Driver
) -> list[str]:
    """Return every broken promise, in words; the journal must not be in use."""
    found = list(driver.violations)
    notes = _read_ledger(ledger)
    journal = Journal.open(journal_path)
    try:
        found += unsound(journal)
        for script in scripts:
            key = journal.find("flow", script.instance)
            if key is None:
                if script.instance in driver.created:
                    found.append(f"{script.instance} was acknowledged and is not there")
                continue
            entries = list(journal.entries(key))
            instance = journal.load(key)
            problems = [
                *_ending(script, instance),
                *_attempts(entries),
                *_retries(entries, script.limits()),
                *_results(entries, notes[script.instance]),
                *_rollback(entries, notes[script.instance]),
                *_events(entries, script, driver),
                *_sleeps(entries),
                *_streams(journal, key, instance),
            ]
            found += [f"{script.instance}: {problem}" for problem in problems]
    finally:
        journal.close()
    return found


def _read_ledger(path: Path) -> dict[str, list[Note]]:
    notes = defaultdict(list)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines():
        record = json.loads(line)
        notes[record["instance"]].append(
            Note(
                record["what"],
                record["step"],
                record["at_ms"],
                record["value"],
                record.get("attempt", 0),
            )
        )
    return notes


def _ending(script: Script, instance: Instance) -> Iterator[str]:
    expected = Status.ERRORED if script.raises else Status.COMPLETE
    if instance.status is not expected:
        yield f"ended as {instance.status}, expected {expected} ({instance.error})"
    elif script.raises:
        if instance.error is None or instance.error.message != "as the script says":
            yield f"ended with {instance.error}"
    elif values.decode(instance.output) != script.output:
        yield f"returned {instance.output!r}, expected {script.output}"


def _attempts(entries: list[Entry]) -> Iterator[str]:
    """Attempts are numbered without a gap, and each ends before the next begins, once."""
    last: dict[str, int] = defaultdict(int)
    running: set[str] = set()
    for entry in entries:
        if entry.kind in ATTEMPT_STARTS:
            if entry.attempt != last[entry.step] + 1 or entry.step in running:
                yield f"{entry.step}: attempt {entry.attempt} follows {last[entry.step]}"
            last[entry.step] = entry.attempt
            running.add(entry.step)
        elif entry.kind in ATTEMPT_ENDS:
            if entry.attempt != last[entry.step] or entry.step not in running:
                yield f"{entry.step}: attempt {entry.attempt} ends and was not in flight"
            running.discard(entry.step)


def _retries(entries: list[Entry], limits: dict[str, int]) -> Iterator[str]:
    """No attempt beyond those allowed and those cut off, which cost the user none of the others."""
    count: dict[str, Counter[EntryKind]] = defaultdict(Counter)
    for entry in entries:
        if entry.kind in DO_KINDS:
            count[entry.step.split(":", 2)[2]][entry.kind] += 1
    for name, limit in limits.items():
        attempts, failed, interrupted, given_up = (count[name][kind] for kind in DO_KINDS)
        if failed > limit + 1:
            yield f"{name} failed {failed} times, {limit + 1} are allowed"
        if attempts > limit + 1 + interrupted:
            yield f"{name}: {attempts} attempts, {interrupted} cut off, {limit + 1} are allowed"
        if given_up and failed != limit + 1:
            yield f"{name} was given up after {failed} failures of {limit + 1}"


def _results(entries: list[Entry], notes: list[Note]) -> Iterator[str]:
    """A recorded step is not executed any more, and everyone saw what is recorded."""
    recorded: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind not in RESULTS:
            continue
        name = entry.step.split(":", 2)[2]
        if name in recorded:
            yield f"{name} has two results"
        recorded[name] = entry
    for note in notes:
        result = recorded.get(note.step)
        if result is None:
            if note.what == "saw":
                yield f"{note.step}: run() saw {note.value!r}, and nothing is recorded"
        elif note.what == "undid":
            pass
        elif note.what == "ran":
            if note.at_ms > result.at_ms:
                yield f"{note.step} ran {note.at_ms - result.at_ms} ms after it was recorded"
        elif note.value != _value(result):
            yield f"{note.step}: run() saw {note.value!r}, recorded is {_value(result)!r}"
    ran = {note.value for note in notes if note.what == "ran"}
    for name, result in recorded.items():
        if result.kind is EntryKind.STEP_SUCCESS and _value(result) not in ran:
            yield f"{name}: the value recorded was never made"


def _rollback(entries: list[Entry], notes: list[Note]) -> Iterator[str]:
    """Every handler was executed, the last started step's first; none once it was recorded."""
    undone: dict[str, int] = {}  # name -> when it was recorded
    begun: list[str] = []
    steps: list[str] = []
    started_ms: int | None = None
    for entry in entries:
        name = entry.step.split(":", 2)[-1]
        match entry.kind:
            case EntryKind.STEP_START if "rollback" in (entry.data or {}):
                steps.append(name)
            case EntryKind.ROLLBACK_START:
                started_ms = entry.at_ms
            case EntryKind.ROLLBACK_STEP_START:
                begun.append(name)
            case EntryKind.ROLLBACK_STEP_SUCCESS:
                undone[name] = entry.at_ms
    failed = any(entry.kind is EntryKind.WORKFLOW_FAILURE for entry in entries)
    if begun != (steps[::-1] if failed else []) or set(begun) != set(undone):
        yield f"of {steps}, {begun} were rolled back, and {sorted(undone)} recorded"
    for note in notes:
        if note.what == "undid" and note.at_ms > undone.get(note.step, 0):
            yield f"{note.step} was rolled back, and that is not recorded, or was before"
        if note.what == "ran" and started_ms is not None and note.at_ms > started_ms:
            yield f"{note.step} ran {note.at_ms - started_ms} ms after the rollback had begun"
    for name in set(undone) - {note.step for note in notes if note.what == "undid"}:
        yield f"{name} is recorded as rolled back, and never was"


def _value(result: Entry) -> Any:
    match result.kind:
        case EntryKind.STEP_FAILURE:
            return (result.data or {})["error"]["message"]
        case EntryKind.WAIT_COMPLETE:
            return values.decode(result.value)["payload"]
    value = values.decode(result.value)
    return value.preview[:32] if isinstance(value, StreamValue) else value


def _streams(journal: Journal, key: int, instance: Instance) -> Iterator[str]:
    """What steps streamed is there, whole, and nothing else is."""
    found = journal.query("SELECT DISTINCT stream FROM stream_chunks WHERE instance = ?", (key,))
    kept = outputs.kept_streams(instance)
    if {stream for (stream,) in found} != kept:
        yield f"streams {found} are stored, and {kept} are recorded"
    for step in instance.steps.values():
        stream = outputs.stream_of(step.value)
        if stream is not None and (damage := outputs.damage(journal, key, stream, step.label)):
            yield damage


def _sleeps(entries: list[Entry]) -> Iterator[str]:
    """Every sleep ended once, and not before its time, whoever was there when it was due."""
    until_ms: dict[str, int] = {}
    for entry in entries:
        if entry.kind is EntryKind.SLEEP_START:
            until_ms[entry.step] = (entry.data or {})["untilMs"]
        elif entry.kind is EntryKind.SLEEP_COMPLETE:
            due_ms = until_ms.pop(entry.step, None)
            if due_ms is None:
                yield f"{entry.step} ended twice"
            elif entry.at_ms < due_ms:
                yield f"{entry.step} ended {due_ms - entry.at_ms} ms early"
    for step in until_ms:
        yield f"{step} never ended"


def _events(entries: list[Entry], script: Script, driver: Driver) -> Iterator[str]:
    """Acknowledged events are there once; each wait consumed one, once, the oldest first."""
    instance = script.instance
    received: dict[str, list[int]] = defaultdict(list)
    consumed: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.kind is EntryKind.EVENT_RECEIVED:
            received[(entry.data or {})["event"]].append(values.decode(entry.value))
        elif entry.kind is EntryKind.WAIT_COMPLETE:
            event = values.decode(entry.value)
            consumed[event["type"]].append(event["payload"])
    for number, (target, event_type) in driver.sent.items():
        if target == instance and received[event_type].count(number) != 1:
            yield f"event {number} was acknowledged and is there {received[event_type]} times"
    for event_type in set(script.awaited()):
        numbers = consumed[event_type]
        if numbers != received[event_type][: script.awaited().count(event_type)]:
            yield f"{event_type} events {received[event_type]} were consumed as {numbers}"
