"""The steps of an instance -> rows of a timeline: what each step did, and when. Pure.

It reads the REST API's details, with our own `line` and `due`. `timeline.py` draws the rows.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from msgspec import Struct

from emulator.answers.workflows import AttemptDetail, ErrorDetail, InstanceDetail, StepDetail
from emulator.cli.ink import Colour
from emulator.cli.names import named_error
from emulator.cli.workflows.drawing.marks import ENDED, mark
from emulator.cli.workflows.drawing.spans import clock_time, parse_iso, span
from emulator.cli.workflows.drawing.tracebacks import raised_at
from emulator.json_types import Json

_CUT_OFF = "WorkflowInternalError"  # the API's name for an attempt that a reload or crash ended


class Phase(StrEnum):
    """What happened in a stretch of time."""

    WORK = "work"
    FAILED = "failed"
    WAIT = "wait"


class Stretch(Struct, frozen=True):
    """A part of a row's time, in epoch milliseconds."""

    phase: Phase
    start_ms: int
    end_ms: int


class Attempt(Struct, frozen=True):
    """One attempt of a step; `end_ms` None while it runs. raised: where, if it is known."""

    number: int
    sign: str
    colour: Colour
    start_ms: int
    end_ms: int | None
    text: str
    raised: str = ""


class Row(Struct, frozen=True):
    """One step. `state` is empty if its sign says enough; `line` is its place in the code."""

    name: str
    sign: str
    colour: Colour
    start_ms: int
    end_ms: int | None
    state: str
    line: str = ""
    stretches: tuple[Stretch, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    output: Json = None
    has_output: bool = False
    error: str = ""


class Scene(Struct, frozen=True):
    """Facts for all rows of one instance. `live`: a server runs it."""

    status: str
    now_ms: int
    end_ms: int | None
    live: bool
    repeated: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, detail: InstanceDetail, now_ms: int, live: bool) -> Scene:
        """Return the scene for an instance's details."""
        counts = Counter(_kind_and_base(step) for step in detail["steps"] if "name" in step)
        repeated = frozenset(key for key, count in counts.items() if count > 1)
        end = detail.get("end")
        return cls(detail["status"], now_ms, parse_iso(end) if end else None, live, repeated)

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more."""
        return self.status in ENDED


def rows_of(detail: InstanceDetail, now_ms: int, live: bool) -> list[Row]:
    """Return a row for every step of an instance, in order."""
    scene = Scene.of(detail, now_ms, live)
    return [_row(step, scene) for step in detail["steps"]]


def error_text(error: ErrorDetail | None) -> str:
    """Return a recorded error as `"name: message"`, or "" without one."""
    if not isinstance(error, dict):
        return ""
    return named_error(str(error.get("name", "Error")), str(error.get("message", "")))


def _row(step: StepDetail, scene: Scene) -> Row:
    match step["type"]:
        case "termination":
            return _termination(step, scene)
        case "sleep":
            return _sleep(step, scene)
        case "waitForEvent":
            return _wait(step, scene)
        case _:
            return _do(step, scene)


def _termination(step: StepDetail, scene: Scene) -> Row:
    sign, colour = mark("terminated")
    at_ms = scene.end_ms or scene.now_ms
    state = f"by {step['trigger']['source']}"
    return Row("terminated", sign, colour, at_ms, at_ms, state)


def _sleep(step: StepDetail, scene: Scene) -> Row:
    start_ms, end_ms = _times(step)
    if step["finished"]:
        sign, colour, state = *mark("complete"), "slept"
    else:
        sign, colour = _unfinished(scene, "waiting")
        state = _left_behind(scene) or _until("asleep", step.get("due"), scene)
    stretches = (Stretch(Phase.WAIT, start_ms, _close(end_ms, scene)),)
    return Row(_name(step, scene), sign, colour, start_ms, end_ms, state, _line(step), stretches)


def _wait(step: StepDetail, scene: Scene) -> Row:
    start_ms, end_ms = _times(step)
    event = f'"{step["event_type"]}"'
    if not step["finished"]:
        sign, colour = _unfinished(scene, "waiting")
        state = _left_behind(scene) or _until(f"waiting for {event}", step.get("due"), scene)
    elif step["error"]:
        sign, colour, state = *mark("errored"), f"no {event} came in time"
    else:
        sign, colour, state = *mark("complete"), f"received {event}"
    return Row(
        _name(step, scene),
        sign,
        colour,
        start_ms,
        end_ms,
        state,
        _line(step),
        (Stretch(Phase.WAIT, start_ms, _close(end_ms, scene)),),
        output=step.get("output"),
        has_output=step.get("output") is not None,
    )


def _do(step: StepDetail, scene: Scene) -> Row:
    start_ms, end_ms = _times(step)
    attempts = [_attempt(number, told, scene) for number, told in enumerate(step["attempts"], 1)]
    state = ""
    if step["success"] is None:
        running = bool(attempts) and attempts[-1].end_ms is None
        sign, colour = _unfinished(scene, "running" if running else "waiting")
        state = _left_behind(scene) or _progress(step, attempts, running, scene)
    else:
        sign, colour = mark("complete" if step["success"] else "errored")
    told_apart = len(attempts) > 1 or any(told["error"] for told in step["attempts"])
    return Row(
        _name(step, scene),
        sign,
        colour,
        start_ms,
        end_ms,
        state,
        _line(step),
        tuple(_stretches(step, start_ms, end_ms, scene)),
        tuple(attempts) if told_apart else (),
        output=step.get("output"),
        has_output=step.get("output") is not None,
        error="" if told_apart else error_text(step.get("error")),
    )


def _progress(step: StepDetail, attempts: list[Attempt], running: bool, scene: Scene) -> str:
    if running:
        which = f", attempt {len(attempts)}" if len(attempts) > 1 else ""
        return f"running{which}" if scene.live else "cut off when the server stopped; runs again"
    if not attempts:
        return "about to run"
    return _until(f"waiting for attempt {len(attempts) + 1}", step.get("due"), scene)


def _attempt(number: int, told: AttemptDetail, scene: Scene) -> Attempt:
    start_ms = parse_iso(told["start"])
    end_ms = parse_iso(told["end"]) if told["end"] else None
    error = told["error"]
    if error and error.get("name") == _CUT_OFF:
        return Attempt(number, "↯", Colour.YELLOW, start_ms, end_ms, str(error["message"]))
    if end_ms is None:
        sign, colour = _unfinished(scene, "running")
        return Attempt(number, sign, colour, start_ms, None, _left_behind(scene) or "running")
    sign, colour = mark("complete" if told["success"] else "errored")
    raised = raised_at(told.get("traceback", ""))
    return Attempt(number, sign, colour, start_ms, end_ms, error_text(error), raised)


def _stretches(step: StepDetail, start_ms: int, end_ms: int | None, scene: Scene) -> list[Stretch]:
    stretches = [Stretch(Phase.WAIT, start_ms, _close(end_ms, scene))]
    for told in step["attempts"]:
        phase = Phase.FAILED if told["error"] else Phase.WORK
        ended = parse_iso(told["end"]) if told["end"] else None
        stretches.append(Stretch(phase, parse_iso(told["start"]), _close(ended, scene)))
    return stretches


def _unfinished(scene: Scene, status: str) -> tuple[str, Colour]:
    if scene.ended:
        return "–", Colour.DIM
    return mark(status if scene.status not in ("paused", "waitingForPause") else scene.status)


def _left_behind(scene: Scene) -> str:
    return f"unfinished when the instance {_PAST[scene.status]}" if scene.ended else ""


_PAST = {"complete": "completed", "errored": "errored", "terminated": "was terminated"}


def _until(doing: str, due: str | None, scene: Scene) -> str:
    """Return `"asleep, 4m 12s left (until 19:20:11)"`, or less if the time is unknown."""
    if scene.status == "paused":
        return f"{doing}; paused"
    if due is None:
        return doing
    due_ms = parse_iso(due)
    if due_ms <= scene.now_ms:
        return f"{doing}; due" if scene.live else f"{doing}; due, at the next start"
    return f"{doing}, {span(due_ms - scene.now_ms)} left (until {clock_time(due_ms, scene.now_ms)})"


def _close(end_ms: int | None, scene: Scene) -> int:
    return end_ms or scene.end_ms or scene.now_ms


def _times(step: StepDetail) -> tuple[int, int | None]:
    return parse_iso(step["start"]), parse_iso(step["end"]) if step["end"] else None


def _line(step: StepDetail) -> str:
    return str(step.get("line") or "")


def _name(step: StepDetail, scene: Scene) -> str:
    """Return a step's name, with its count only if another step has the same name."""
    kind, base = _kind_and_base(step)
    count = step["name"].rpartition("-")[2]
    shown = f"{base} #{count}" if (kind, base) in scene.repeated or count != "1" else base
    return f"↺ {shown}" if kind == "rollback" else shown


def _kind_and_base(step: StepDetail) -> tuple[str, str]:
    return step["type"], step["name"].rpartition("-")[0]
