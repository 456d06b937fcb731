"""An instance as production describes it -> the history that `groundfog workflows check` replays.

The document is what `wrangler workflows instances describe --json` prints, and what REST answers.
It does not say which callback called a step: all steps count as called by `run()`. Pure.

Source: docs/platform/workflows-rest.md, "An instance over REST".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from emulator.engine.decide.step_config import InvalidStepConfig, resolve_config
from emulator.engine.model import fold
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure
from emulator.engine.model.instance import Instance
from emulator.engine.model.instance_entries import Queued, ReceivedEvent
from emulator.engine.model.step_entries import SleepStart, StepStart, WaitStart
from emulator.engine.model.step_key import StepKind, step_key
from emulator.errors import UsageError
from emulator.protocol import deep_json, values

_NONSENSE = (KeyError, TypeError, ValueError, AttributeError, IndexError, AssertionError)
_KINDS = {"step": StepKind.DO, "sleep": StepKind.SLEEP, "waitForEvent": StepKind.WAIT}
_ENDS = {
    "complete": EntryKind.WORKFLOW_SUCCESS,
    "errored": EntryKind.WORKFLOW_FAILURE,
    "terminated": EntryKind.WORKFLOW_TERMINATED,
}


class Described(NamedTuple):
    """An instance, and the names of its steps whose outputs are not whole."""

    instance: Instance
    cut: tuple[str, ...]


def is_described(document: object) -> bool:
    """Whether a JSON document is such a description."""
    return isinstance(document, dict) and isinstance(document.get("steps"), list)


def parse_described(document: dict[str, Any], workflow: str, shown: str) -> Described:
    """Return the instance. `shown` is the file, for messages. Raises UsageError."""
    instance = Instance(0, workflow, str(document.get("id") or shown))
    cut: list[str] = []
    place = 0
    try:
        created_ms = _ms(document.get("queued") or document.get("start"))
        params = values.encode(document.get("params"))
        queued = Entry(0, created_ms, EntryKind.WORKFLOW_QUEUED, "", 0, Queued(), params)
        fold.apply(instance, queued)
        for place, step in enumerate(document["steps"]):  # noqa: B007  (read when it fails)
            for entry in _step_entries(step, cut):
                fold.apply(instance, entry)
        place = -1
        if end := _end(document):
            fold.apply(instance, end)
    except _NONSENSE as error:
        where = "" if place < 0 else f" steps[{place}]"
        text = f"{shown}:{where} cannot be read as production describes an instance: {error!r}"
        raise UsageError(text) from None
    return Described(instance, tuple(cut))


def _step_entries(step: dict[str, Any], cut: list[str]) -> Iterator[Entry]:
    kind = _KINDS.get(step["type"])
    if kind is None:  # a rollback, or how it was terminated
        return
    name, _, count = step["name"].rpartition("-")
    key = step_key(kind.value, name, int(count))
    begun_ms = _ms(step.get("start"))
    ended_ms = _ms(step["end"]) if step.get("end") else begun_ms
    if kind is StepKind.DO:
        yield from _do(step, key, begun_ms, ended_ms, cut)
    elif kind is StepKind.SLEEP:
        start = SleepStart(max(0, ended_ms - begun_ms), ended_ms)
        yield Entry(0, begun_ms, EntryKind.SLEEP_START, key, 0, start)
        if step.get("finished"):
            yield Entry(0, ended_ms, EntryKind.SLEEP_COMPLETE, key)
    else:
        yield from _wait(step, key, begun_ms, ended_ms, cut)


def _do(
    step: dict[str, Any], key: str, begun_ms: int, ended_ms: int, cut: list[str]
) -> Iterator[Entry]:
    try:
        config = resolve_config(step.get("config"))
    except InvalidStepConfig:  # such as a delay that a function says
        config = resolve_config(None)
    yield Entry(0, begun_ms, EntryKind.STEP_START, key, 0, StepStart(config))
    attempts = step.get("attempts") or [{}]
    if step.get("success") is True:
        value = _output(step, cut)
        yield Entry(0, ended_ms, EntryKind.STEP_SUCCESS, key, 0, None, value)
    elif step.get("success") is False and step.get("end"):
        error = _error(attempts[-1].get("error"))
        yield Entry(0, ended_ms, EntryKind.STEP_FAILURE, key, 0, Failure(error))
    else:
        yield Entry(0, begun_ms, EntryKind.ATTEMPT_START, key, len(attempts))


def _wait(
    step: dict[str, Any], key: str, begun_ms: int, ended_ms: int, cut: list[str]
) -> Iterator[Entry]:
    type = str(step.get("event_type") or "")
    start = WaitStart(type, max(0, ended_ms - begun_ms))
    yield Entry(0, begun_ms, EntryKind.WAIT_START, key, 0, start)
    if step.get("error"):
        failure = Failure(_error(step["error"]))
        yield Entry(0, ended_ms, EntryKind.WAIT_TIMED_OUT, key, 0, failure)
    elif step.get("finished"):
        value = _output(step, cut)
        yield Entry(0, ended_ms, EntryKind.EVENT_RECEIVED, "", 0, ReceivedEvent(type), value)
        yield Entry(0, ended_ms, EntryKind.WAIT_COMPLETE, key, 0, None, value)


def _end(document: dict[str, Any]) -> Entry | None:
    kind = _ENDS.get(str(document.get("status")))
    if kind is None:
        return None
    at_ms = _ms(document.get("end") or document.get("queued"))
    if kind is EntryKind.WORKFLOW_FAILURE:
        return Entry(0, at_ms, kind, "", 0, Failure(_error(document.get("error"))))
    value = values.encode(document.get("output")) if kind is EntryKind.WORKFLOW_SUCCESS else b""
    return Entry(0, at_ms, kind, "", 0, None, value)


def _output(step: dict[str, Any], cut: list[str]) -> bytes:
    """Return an output as it is recorded. It may be told as a value, or as its text, cut off."""
    output = step.get("output")
    if isinstance(output, str) and output[:1] in ("{", "["):
        try:
            output = deep_json.loads(output)
        except json.JSONDecodeError:
            cut.append(step["name"])
            return b"null"
    return values.encode(output)


def _error(told: Any) -> ErrorInfo:
    if isinstance(told, dict):
        return ErrorInfo(str(told.get("name", "Error")), str(told.get("message", "")))
    return ErrorInfo("Error", str(told or "it failed"))


def _ms(text: Any) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
