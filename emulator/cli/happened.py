"""What an instance did, or how a worker answered, as the source of a pytest function. Pure."""

from __future__ import annotations

import builtins
import keyword
import pprint
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.plain import plain
from emulator.engine.model.step import StepState
from emulator.engine.model.step_key import StepKind

_WIDTH = 88
ERRORS = 500  # from this status on


@dataclass(frozen=True, slots=True)
class Happened:
    """What an instance did. error: name and message of what ended it, or None.

    events: type and payload of those that it got, in order. timeouts: waits that ended without one.
    results: label, name, count and output of the `do` steps of `run()` that succeeded.
    """

    workflow: str
    id: str
    params: Any
    output: Any
    error: tuple[str, str] | None
    events: tuple[tuple[str, Any], ...]
    timeouts: tuple[str, ...]
    results: dict[tuple[str, int], Any]
    failed: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, instance: Instance) -> Happened:
        """Return what an instance that has ended did."""
        steps = [step for step in instance.steps.values() if not step.parent]
        waits = [step for step in steps if step.kind is StepKind.WAIT]
        done = [step for step in steps if step.kind is StepKind.DO]
        error = instance.error
        return cls(
            instance.workflow,
            instance.id,
            plain(instance.params) if instance.params else None,
            plain(instance.output) if instance.status is Status.COMPLETE else None,
            None if error is None else (error.name, error.message),
            tuple(
                (step.event_type, _payload(plain(step.value)))
                for step in waits
                if step.state is StepState.SUCCEEDED
            ),
            tuple(step.name for step in waits if step.state is StepState.FAILED),
            {
                (step.name, step.count): plain(step.value)
                for step in done
                if step.state is StepState.SUCCEEDED
            },
            {
                (step.name, step.count): (step.error.name, step.error.message)
                for step in done
                if step.state is StepState.FAILED and step.error is not None
            },
        )

    @property
    def payloads(self) -> dict[str, list[Any]]:
        """The payloads of the events that it got, by type, in order."""
        found: dict[str, list[Any]] = {}
        for type, payload in self.events:
            found.setdefault(type, []).append(payload)
        return found


@dataclass(frozen=True, slots=True)
class Answered:
    """How a worker answered a request on fresh state. json: whether `body` is JSON."""

    method: str
    path: str
    sent: Any
    status: int
    body: Any
    json: bool


def _payload(event: Any) -> Any:
    return event.get("payload") if isinstance(event, dict) else event


def instance_test(
    happened: Happened, binding: str, mocked: Sequence[tuple[str, int]], why: str, command: str
) -> str:
    """Return a module with one test.

    mocked: the steps whose results are given, by name and count. why: says so in a comment, or "".
    """
    lines = [
        f"    with worker.introspect_workflow({_literal(binding)}) as workflow:",
        *(f"        {line}" for line in _mocks(happened, mocked, why)),
        *_call(f"worker.env.{binding}.create", [_creation(happened)], 8),
        "",
        "        instance = workflow.one()",
        *(f"        {line}" for line in _asserted(happened)),
    ]
    name = _name(f"{happened.workflow} {happened.id}")
    return _module(command, f"def test_{name}(worker):", lines)


def request_test(answered: Answered, command: str) -> str:
    """Return a module with one test of a request."""
    given = "" if answered.sent is None else f", json={_literal(answered.sent)}"
    if answered.status >= ERRORS:  # an error in the worker would fail the test
        given += ", raise_worker_errors=False"
    method = answered.method
    if method.lower() in ("get", "post", "put", "patch", "delete"):
        call = f"worker.{method.lower()}({_literal(answered.path)}{given})"
    else:
        call = f"worker.fetch({_literal(answered.path)}, method={_literal(method)}{given})"
    lines = [f"    response = {call}", "", f"    assert response.status_code == {answered.status}"]
    if answered.json:
        lines += _equal("response.json()", answered.body, 4)
    elif answered.body:
        lines += _equal("response.text", answered.body, 4)
    name = _name(f"{method} {answered.path}")
    return _module(command, f"def test_{name}(worker):", lines)


def _module(command: str, head: str, lines: Sequence[str]) -> str:
    top = f'"""What happened once, as `{command}` wrote it down."""'
    return "\n".join([top, "", "", head, *lines]) + "\n"


def _mocks(happened: Happened, mocked: Sequence[tuple[str, int]], why: str) -> Iterator[str]:
    if mocked and why:
        yield f"# {why}"
    for name, count in mocked:
        step = name if count == 1 else (name, count)
        if (name, count) in happened.failed:
            error, message = happened.failed[name, count]
            yield f"workflow.mock_step_error({_literal(step)}, {_raised(error, message)})"
        else:
            yield from _call("workflow.mock_step_result", [step, happened.results[name, count]])
    for type, given in happened.payloads.items():
        if len(given) == 1:
            yield from _call("workflow.mock_event", [type, given[0]])
        else:
            name = f"{_name(type)}_payloads"
            yield from _call(f"{name} = iter", [given])
            yield f"workflow.on_wait({_literal(type)}, lambda wait: next({name}))"
    for step in happened.timeouts:
        yield f"workflow.force_event_timeout({_literal(step)})"


def _asserted(happened: Happened) -> Iterator[str]:
    if happened.error is None:
        yield from _equal("instance.result()", happened.output)
        return
    name, message = happened.error
    told = {"name": name, "message": message}
    yield 'instance.wait_for_status("errored")'
    yield from _equal("instance.get_error()", told)


def _raised(name: str, message: str) -> str:
    """Return what makes an error of this name in Python."""
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception):
        return f"{name}({_literal(message)})"
    return f"type({_literal(name)}, (Exception,), {{}})({_literal(message)})"


def _creation(happened: Happened) -> dict[str, Any]:
    given: dict[str, Any] = {"id": happened.id}
    return given if happened.params is None else {**given, "params": happened.params}


def _call(start: str, args: Sequence[Any], columns: int = 0) -> list[str]:
    """Return lines that call `start` with values."""
    space = " " * columns
    one = f"{space}{start}({', '.join(map(_literal, args))})"
    if len(one) <= _WIDTH:
        return [one]
    told = [_lines(value, columns + 4, ",") for value in args]
    return [f"{space}{start}(", *(line for lines in told for line in lines), f"{space})"]


def _equal(start: str, value: Any, columns: int = 0) -> list[str]:
    """Return lines that compare `start` with a value."""
    space = " " * columns
    one = f"{space}assert {start} == {_literal(value)}"
    if len(one) <= _WIDTH:
        return [one]
    return [f"{space}assert {start} == (", *_lines(value, columns + 4), f"{space})"]


def _lines(value: Any, columns: int, end: str = "") -> list[str]:
    text = _quoted(pprint.pformat(value, width=_WIDTH - columns, sort_dicts=False)) + end
    return [f"{' ' * columns}{line}" for line in text.splitlines()]


def _literal(value: Any) -> str:
    return _quoted(repr(value))


def _quoted(text: str) -> str:
    """Return Python's text of a value with double quotes, where no string has any quotes."""
    return text if '"' in text or "\\" in text else text.replace("'", '"')


def _name(text: str) -> str:
    """Return a part of a function's name."""
    name = re.sub(r"\W+", "_", text.lower()).strip("_") or "it"
    return f"{name}_" if keyword.iskeyword(name) else name
