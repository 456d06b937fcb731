"""What must hold when all is over, whatever was killed: the journal against ledger and client."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emulator.engine.journal.journal import Journal
from emulator.engine.model.entries import Entry, members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.runs import streams
from emulator.protocol import values
from tests.crash.judging import Asked, Execution, Story
from tests.crash.recorded import recorded
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
# What becomes of a step's attempts, rollbacks left out: their steps have keys of their own.
DO_KINDS = (
    EntryKind.ATTEMPT_START,
    EntryKind.ATTEMPT_FAILURE,
    EntryKind.ATTEMPT_INTERRUPTED,
    EntryKind.STEP_FAILURE,
)
TERMINATING = frozenset({"terminate", "terminate-rollback"})
REVIVING = frozenset({"restart", "restart-from", "delete-create", "create"})


def violations(journal_path: Path, scripts: Sequence[Script], story: Story) -> list[str]:
    """Return every broken promise, in words; the journal must not be in use."""
    found: list[str] = []
    journal = Journal.open(journal_path)
    try:
        for script in scripts:
            for each in (script, *script.children):
                problems = _of_instance(journal, each, story)
                found += [f"{each.instance}: {problem}" for problem in problems]
    finally:
        journal.close()
    return found


def problems_left(journal_path: Path) -> list[str]:
    """Return what is wrong in a journal that a killed server has left, in words."""
    if not journal_path.exists():
        return []
    journal = Journal.open_to_read(journal_path)
    try:
        found = unsound(journal)
        for row in journal.unfinished():
            instance = journal.fold(row)
            if instance.is_held:
                found.append(f"{row.id}: held, and the code is the same: {instance.divergence}")
    finally:
        journal.close()
    return found


def _of_instance(journal: Journal, script: Script, story: Story) -> Iterator[str]:
    asked = story.operations(script.instance)
    key = journal.find(script.workflow, script.instance)
    if key is None:
        if script.instance in story.made or _must_exist(asked):
            yield "was acknowledged and is not there"
        return
    if asked and asked[-1].operation == "delete" and asked[-1].was_done:
        yield "was deleted and is there"
    entries = list(journal.entries(key))
    instance = journal.load(key)
    yield from _ending(script, instance, asked, story)
    yield from _attempts(entries)
    yield from _retries(entries, script, instance)
    yield from _results(entries, script, story)
    if not story.forgets(script.instance):
        yield from _ran_after_recorded(entries, script, story)
        yield from _rollback(entries, script, story)
    yield from _events(entries, script, story)
    yield from _sleeps(entries, instance)
    yield from _streams(journal, key, instance)


def _must_exist(asked: list[Asked]) -> bool:
    """Whether a creation was acknowledged that no deletion may have undone."""
    created = [one.place for one in asked if one.operation == "create" and one.was_done]
    deleted = [one.answered for one in asked if one.operation.startswith("delete")]
    return bool(created) and max(created) > max(deleted, default=-1)


def _ending(script: Script, instance: Instance, asked: list[Asked], story: Story) -> Iterator[str]:
    error = instance.error
    possible = {Status.ERRORED if script.raises else Status.COMPLETE}
    ends = [one for one in asked if one.operation in TERMINATING]
    if ends:
        possible.add(Status.TERMINATED)
        later = any(one.operation in REVIVING and one.answered > ends[-1].place for one in asked)
        if ends[-1].was_done and not later:
            possible = {Status.TERMINATED}
    if script.is_poison and possible != {Status.TERMINATED}:
        if error is not None and "went away" in error.message:
            return
        if script.is_hopeless:
            possible -= {Status.COMPLETE}
            possible |= {Status.ERRORED}
    if instance.status not in possible:
        yield f"ended as {instance.status}, expected {possible} ({error})"
    elif instance.status is Status.ERRORED:
        if error is None or error.message != "as the script says":
            yield f"ended with {error}"
    elif instance.status is Status.COMPLETE:
        output = recorded(instance.output)
        returned = [seen.value for seen in story.left[script.instance]]
        if output not in returned:
            yield f"returned {output!r}, and run() returned {returned}"


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


def _retries(entries: list[Entry], script: Script, instance: Instance) -> Iterator[str]:
    """No attempt beyond those allowed and those cut off, which cost the user none of the others."""
    limits = script.limits()
    count: dict[str, Counter[EntryKind]] = defaultdict(Counter)
    for entry in entries:
        if entry.kind in DO_KINDS:
            count[entry.step][entry.kind] += 1
    for key, counted in count.items():
        name = instance.steps[key].name
        if name not in limits:
            continue
        limit = limits[name]
        attempts, failed, interrupted, given_up = (counted[kind] for kind in DO_KINDS)
        if failed > limit + 1:
            yield f"{key} failed {failed} times, {limit + 1} are allowed"
        if attempts > limit + 1 + interrupted:
            yield f"{key}: {attempts} attempts, {interrupted} cut off, {limit + 1} are allowed"
        if given_up and failed != limit + 1:
            yield f"{key} was given up after {failed} failures of {limit + 1}"


def _recorded(entries: list[Entry], story: Story) -> Iterator[tuple[Entry, Execution | None]]:
    """Yield what is recorded of steps that have succeeded, each with the execution it came from."""
    for entry in entries:
        if entry.kind is EntryKind.STEP_SUCCESS:
            yield entry, story.by_value.get(recorded(entry.value))


def _results(entries: list[Entry], script: Script, story: Story) -> Iterator[str]:
    """A step has one result, which its own callback has made, and everyone saw it."""
    keys: set[str] = set()
    made: dict[str, str] = {}  # uid -> step key
    of_call: dict[str, str] = {}
    for entry, execution in _recorded(entries, story):
        if entry.step in keys:
            yield f"{entry.step} has two results"
        keys.add(entry.step)
        if execution is None:
            yield f"{entry.step}: the value recorded was never made: {recorded(entry.value)!r}"
            continue
        if execution.instance != script.instance:
            yield f"{entry.step} has the result of {execution.instance}: {execution.site}"
        if execution.uid in made:
            yield f"{entry.step} and {made[execution.uid]} have the result of one callback"
        made[execution.uid] = entry.step
        site = execution.site
        if site in of_call:
            yield f"call {site} was done twice, as {of_call[site]} and {entry.step}"
        of_call[site] = entry.step
    if story.forgets(script.instance):
        return
    for seen in story.seen:
        maker = story.by_value.get(seen.value)
        if seen.instance == script.instance and maker is not None and maker.uid not in made:
            yield f"call {seen.site} saw {seen.value!r}, which is not recorded"


def _ran_after_recorded(entries: list[Entry], script: Script, story: Story) -> Iterator[str]:
    """A recorded step is not executed any more."""
    done = {
        execution.site: entry
        for entry, execution in _recorded(entries, story)
        if execution is not None
    }
    for execution in story.executions.values():
        if execution.instance == script.instance:
            entry = done.get(execution.site)
            if entry is not None and execution.at_ms > entry.at_ms:
                late_ms = execution.at_ms - entry.at_ms
                yield f"{execution.site} ran {late_ms} ms after it was recorded as {entry.step}"


def _rollback(entries: list[Entry], script: Script, story: Story) -> Iterator[str]:
    """Every handler was executed, the last started step's first; none once it was recorded."""
    undone: dict[str, int] = {}  # name -> when it was recorded
    begun: list[str] = []
    steps: list[str] = []
    started_ms: int | None = None
    by_run = cut_short = False
    for entry in entries:
        name = entry.step.split(":", 2)[-1]
        match entry.kind:
            case EntryKind.STEP_START if "rollback" in members_of(entry):
                steps.append(name)
            case EntryKind.ROLLBACK_START:
                started_ms = entry.at_ms
                by_run = not members_of(entry).get("terminates", False)
            case EntryKind.ROLLBACK_STEP_START:
                begun.append(name)
            case EntryKind.ROLLBACK_STEP_SUCCESS:
                undone[name] = entry.at_ms
            case EntryKind.ROLLBACK_FAILED:  # no handler fails: it was terminated once more
                cut_short = True
    notes = [(script.instance, line) for line in story.undone[script.instance]]
    names = {act["site"]: act["name"] for act in script.every_act() if "name" in act}
    rolled_back = steps[::-1] if started_ms is not None else []
    if not cut_short and (begun != rolled_back or set(begun) != set(undone)):
        yield f"of {steps}, {begun} were rolled back, and {sorted(undone)} recorded"
    for _, line in notes:
        name = names[line["site"]]
        if line.at_ms > undone.get(name, 0) and not cut_short:
            yield f"{name} was rolled back, and that is not recorded, or was before"
    for execution in story.executions.values():
        if execution.instance == script.instance and by_run and started_ms is not None:
            if execution.at_ms > started_ms:
                yield f"{execution.site} ran after the rollback had begun"
    for name in set(undone) - {names[line["site"]] for _, line in notes}:
        yield f"{name} is recorded as rolled back, and never was"


def _streams(journal: Journal, key: int, instance: Instance) -> Iterator[str]:
    """What steps streamed is there, whole, and nothing else is."""
    found = journal.query("SELECT DISTINCT stream FROM stream_chunks WHERE instance = ?", (key,))
    kept = streams.kept_streams(instance)
    if {stream for (stream,) in found} != kept:
        yield f"streams {found} are stored, and {kept} are recorded"
    for step in instance.steps.values():
        stream = streams.stream_of(step.value)
        if stream is not None and (damage := streams.damage(journal, key, stream, step.label)):
            yield damage


def _sleeps(entries: list[Entry], instance: Instance) -> Iterator[str]:
    """Every sleep ended once, and not before its time, whoever was there when it was due."""
    until_ms: dict[str, int] = {}
    for entry in entries:
        if entry.kind is EntryKind.SLEEP_START:
            until_ms[entry.step] = members_of(entry)["untilMs"]
        elif entry.kind is EntryKind.TIMER_SKIPPED and entry.step in until_ms:
            until_ms[entry.step] = entry.at_ms
        elif entry.kind is EntryKind.SLEEP_COMPLETE:
            due_ms = until_ms.pop(entry.step, None)
            if due_ms is None:
                yield f"{entry.step} ended twice"
            elif entry.at_ms < due_ms:
                yield f"{entry.step} ended {due_ms - entry.at_ms} ms early"
    if instance.status is Status.COMPLETE:
        for step in until_ms:
            yield f"{step} never ended"


def _events(entries: list[Entry], script: Script, story: Story) -> Iterator[str]:
    """Acknowledged events are there once, in order; each wait consumed the oldest, once."""
    received: dict[str, list[Any]] = defaultdict(list)
    consumed: dict[str, list[Any]] = defaultdict(list)
    for entry in entries:
        if entry.kind is EntryKind.EVENT_RECEIVED:
            received[members_of(entry)["event"]].append(values.decode(entry.value))
        elif entry.kind is EntryKind.WAIT_COMPLETE:
            event = values.decode(entry.value)
            consumed[event["type"]].append(event["payload"])
    asked = story.operations(script.instance)
    forgot = max(
        (one.answered for one in asked if one.operation in {*REVIVING, "delete"} - {"create"}),
        default=-1,
    )
    acknowledged = [
        (one.says["type"], one.says["value"], one.answered)
        for one in asked
        if one.operation == "event" and one.was_done
    ]
    acknowledged += [
        (event_type, value, story.executions[value].place)  # it was sent later than that
        for instance, event_type, value in story.told
        if instance == script.instance
    ]
    for event_type, value, place in acknowledged:
        times = received[event_type].count(value)
        if times > 1 or (times == 0 and place > forgot):
            yield f"{event_type} event {value} was acknowledged and is there {times} times"
    for event_type, events in received.items():
        numbers = [value for value in events if isinstance(value, int)]
        if numbers != sorted(set(numbers)):
            yield f"{event_type} events came in this order: {numbers}"
        if consumed[event_type] != events[: len(consumed[event_type])]:
            yield f"{event_type} events {events} were consumed as {consumed[event_type]}"
    for event_type in consumed.keys() - received.keys():
        yield f"{event_type} events were consumed and none is there: {consumed[event_type]}"
