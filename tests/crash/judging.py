"""What the ledger says must hold: the promises about values, whatever was killed and when.

- What a call sees was returned by a callback of that very call, and stays the same for ever.
- A callback whose result was seen never starts again.
- Nothing starts while an instance is paused, or after it has ended.

A restart or a deletion forgets, so what lies on its two sides is not compared (`Forgetting`). A
step that failed in a callback is tried again when that callback is, and only then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tests.crash.ledger import Line

FORGETTING = frozenset({"restart", "restart-from", "delete", "delete-create"})
RESUMING = FORGETTING | {"resume", "terminate", "terminate-rollback"}
LOST = "internal workflows error"  # what an attempt fails with whose guest went away
HEARD_MS = 2_000
NEVER = 1 << 60  # a place behind all others

Context = tuple[tuple[str, int], ...]  # for each callback around a call: its site, failures so far


@dataclass(frozen=True, slots=True)
class Asked:
    """Something the client asked for: where in the ledger, and where it was answered and how.

    Without an answer it may have happened until the server was gone; `status` is then 0. By `heard`
    a guest has heard of it, and does nothing more of what it was told before.
    """

    operation: str
    instance: str
    place: int
    answered: int
    heard: int
    status: int
    says: Line

    @property
    def was_refused(self) -> bool:
        """Whether it has certainly not happened."""
        return 400 <= self.status < 500

    @property
    def was_done(self) -> bool:
        """Whether it has certainly happened."""
        return self.status == 200


@dataclass(slots=True)
class Execution:
    """One execution of a callback. `ok` is None while it has not ended, or was cut off."""

    instance: str
    site: str
    run: str
    uid: str
    context: Context
    failures: int  # of this call before it
    place: int
    at_ms: int
    ok: bool | None = None
    value: str = ""
    ended: int = NEVER


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call was seen to have as its result."""

    instance: str
    site: str
    run: str
    context: Context
    place: int
    value: str

    def may_be_tried_again(self, context: Context) -> bool:
        """Whether this is an error, and a callback around the call has failed since."""
        return self.value.startswith("!") and self.context != context


@dataclass(slots=True)
class Story:
    """All that the ledger tells, sorted out."""

    asked: list[Asked] = field(default_factory=list)
    executions: dict[str, Execution] = field(default_factory=dict)  # by uid
    by_value: dict[str, Execution] = field(default_factory=dict)  # those that have returned
    seen: list[Seen] = field(default_factory=list)
    left: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    undone: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    began: dict[str, int] = field(default_factory=dict)  # run -> place
    rows: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    looks: dict[int, int] = field(default_factory=dict)  # by number, where each began
    paused: list[Line] = field(default_factory=list)
    ended: list[Line] = field(default_factory=list)

    def forgets(self, instance: str) -> bool:
        """Whether the history of an instance may have been forgotten, all or in part."""
        return any(
            one.instance == instance and one.operation in FORGETTING and not one.was_refused
            for one in self.asked
        )

    def operations(self, instance: str) -> list[Asked]:
        """Return what was asked of an instance and not refused, in order."""
        return [one for one in self.asked if one.instance == instance and not one.was_refused]


def read(lines: list[Line]) -> Story:
    """Sort the lines of a ledger out."""
    story = Story(asked=_asked(lines))
    failures: dict[tuple[str, Context, str], int] = defaultdict(int)
    for line in lines:
        instance, site = str(line["instance"]), str(line["site"])
        match line.what:
            case "run":
                story.began[line["run"]] = line.place
            case "start":
                context = _context(story, line["by"])
                so_far = failures[instance, context, site]
                uid = line["uid"]
                story.executions[uid] = Execution(
                    *(instance, site, line["run"], uid, context, so_far),
                    line.place,
                    line.at_ms,
                )
            case "end":
                execution = story.executions[line["uid"]]
                execution.ok, execution.value = line["ok"], line["value"]
                execution.ended = line.place
                if execution.ok:
                    story.by_value[execution.value] = execution
                else:
                    failures[instance, execution.context, site] += 1
            case "saw":
                context = _context(story, line["by"])
                seen = Seen(instance, site, line["run"], context, line.place, line["value"])
                story.seen.append(seen)
            case "left":
                told = Seen(instance, "output", line["run"], (), line.place, line["value"])
                story.left[instance].append(told)
            case "undo":
                story.undone[instance].append(line)
            case "row":
                story.rows.append(line["row"])
            case "made":
                story.made.add(instance)
            case "told":
                story.told.append((instance, line["type"], line["value"]))
            case "look":
                story.looks[line["number"]] = line.place
            case "paused":
                story.paused.append(line)
            case "ended":
                story.ended.append(line)
    return story


def _context(story: Story, by: str) -> Context:
    if by == "run":
        return ()
    parent = story.executions[by]
    return (*parent.context, (parent.site, parent.failures))


def _asked(lines: list[Line]) -> list[Asked]:
    answers = {line["number"]: line for line in lines if line.what == "answer"}
    overs = [line.place for line in lines if line.what == "over"]
    found = []
    for line in lines:
        if line.what != "ask":
            continue
        answer = answers.get(line["number"])
        over = next((place for place in overs if place > line.place), NEVER)
        status = 0 if answer is None else answer["status"]
        # A 500 or 503 leaves open whether it has happened.
        answered = over if answer is None or status >= 500 else answer.place
        heard = answered
        while heard < len(lines) and lines[heard].at_ms < lines[answered].at_ms + HEARD_MS:
            heard += 1
        operation, instance = str(line["operation"]), str(line["instance"])
        found.append(Asked(operation, instance, line.place, answered, heard, status, line))
    return found


class Forgetting:
    """Where an instance may have been made to forget: each time at one moment of an interval."""

    def __init__(self, story: Story) -> None:
        self._began = story.began
        self._intervals: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for one in story.asked:
            if one.operation in FORGETTING and not one.was_refused:
                self._intervals[one.instance].append((one.place, one.heard))

    def lies_between(
        self, instance: str, first: int, first_run: str, second: int, second_run: str
    ) -> bool:
        """Whether what happened at two places may belong to different histories.

        A run may write a little more after it was dropped, so what counts is when the first began.
        """
        if first_run == second_run:
            return False
        since = min(first, self._began.get(first_run, first))
        return any(
            asked < second and answered > since for asked, answered in self._intervals[instance]
        )


def violations(story: Story, charged: Collection[str]) -> Iterator[str]:
    """Yield every broken promise about values, in words.

    charged: instances whose attempts may fail because their guest went away.
    """
    forgetting = Forgetting(story)
    yield from _origins(story, charged)
    yield from _changes(story, forgetting)
    yield from _repeats(story, forgetting)
    yield from _stillness(story)


def _origins(story: Story, charged: Collection[str]) -> Iterator[str]:
    """Every result that was seen was made before, by a callback of the same call."""
    failed: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    sites = set()
    for execution in story.executions.values():
        sites.add((execution.instance, execution.site))
        if execution.ok is False:
            failed[execution.instance, execution.site].append(execution)
    for seen in story.seen:
        if (seen.instance, seen.site) not in sites:
            continue  # a sleep or an event
        what = f"{seen.instance}: call {seen.site} saw {seen.value!r}"
        if seen.value.startswith("!"):
            lost = seen.instance in charged and LOST in seen.value
            if not lost and not any(
                one.uid in seen.value for one in failed[seen.instance, seen.site]
            ):
                yield f"{what}, and no attempt of it failed so"
            continue
        maker = story.by_value.get(seen.value)
        if maker is None or maker.ended > seen.place:
            yield f"{what}, which nothing has returned"
        elif (maker.instance, maker.site) != (seen.instance, seen.site):
            yield f"{what}, the result of {maker.instance}: {maker.site}"


def _changes(story: Story, forgetting: Forgetting) -> Iterator[str]:
    """What a call was seen to have as its result, it has whenever it is seen again."""
    last: dict[tuple[str, str], Seen] = {}
    outputs = [seen for several in story.left.values() for seen in several]
    for seen in [*story.seen, *outputs]:
        key = (seen.instance, seen.site)
        before = last.get(key)
        last[key] = seen
        if before is None or before.value == seen.value or before.may_be_tried_again(seen.context):
            continue
        places = (before.place, before.run, seen.place, seen.run)
        if not forgetting.lies_between(seen.instance, *places):
            yield (
                f"{seen.instance}: call {seen.site} saw {before.value!r} and later {seen.value!r}"
            )


def _repeats(story: Story, forgetting: Forgetting) -> Iterator[str]:
    """No callback starts again once its result was seen."""
    results: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for seen in story.seen:
        results[seen.instance, seen.site].append(seen)
    for execution in story.executions.values():
        known = results[execution.instance, execution.site]
        before = [seen for seen in known if seen.place < execution.place]
        if not before or before[-1].may_be_tried_again(execution.context):
            continue
        last = before[-1]
        places = (last.place, last.run, execution.place, execution.run)
        if not forgetting.lies_between(execution.instance, *places):
            yield (
                f"{execution.instance}: the callback of {execution.site} started again (line"
                f" {execution.place + 1}) after its result was seen (line {last.place + 1})"
            )


def _stillness(story: Story) -> Iterator[str]:
    """No callback starts between a look that found the instance at rest and what ends that."""
    starts: dict[str, list[Execution]] = defaultdict(list)
    for execution in story.executions.values():
        starts[execution.instance].append(execution)
    for line in [*story.paused, *(line for line in story.ended if line["status"] != "terminated")]:
        instance = str(line["instance"])
        began = story.looks[
            line["look"]
        ]  # what was answered since then may have come before or after
        until = min(
            (
                one.place
                for one in story.operations(instance)
                if one.operation in RESUMING and one.answered > began
            ),
            default=NEVER,
        )
        for execution in starts[instance]:
            if line.place < execution.place < until:
                yield (
                    f"{instance}: the callback of {execution.site} started (line"
                    f" {execution.place + 1}) while it was {line.what} (line {line.place + 1})"
                )
