"""Workflows under test: what instances did, waiting for them, and mocks of steps and events.

The names are those of Cloudflare's own introspection, in snake case.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from groundfog.testing import mocking
from groundfog.testing.errors import NotFound, WorkflowFailed
from groundfog.testing.mocking import StepContext, WaitContext, decoded, encoded
from groundfog.testing.opened import Opened
from groundfog.testing.selecting import Selector, selected
from groundfog.testing.sending import _UNSET
from groundfog.testing.steps import Difference, Event, Step

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class Modifier:
    """Mocks the steps of the instances of one workflow, or of one instance.

    Steps are named `"charge"`, or `("charge", 2)` for the second step of that name. A mock that is
    never used fails the test at its end. Mocks go on after a restart of the instance.
    """

    def __init__(self, opened: Opened, binding: str, id: str = "") -> None:
        self._opened = opened
        self._binding = binding
        self._id = id
        self._mocks: list[int] = []

    def mock_step_result(self, step: Selector, value: Any) -> None:
        """Let a step return `value`; its callback is not executed."""
        self._mock("result", selected(step), value=encoded(value))

    def mock_step_error(
        self, step: Selector, error: BaseException | str, times: int | None = None
    ) -> None:
        """Let a step fail with `error`, the first `times` attempts or all; it is then retried."""
        self._mock("error", selected(step), error=mocking.error_of(error), times=times)

    def force_step_timeout(self, step: Selector, times: int | None = None) -> None:
        """Let attempts of a step time out at once, the first `times` or all."""
        self._mock("step_timeout", selected(step), times=times)

    def mock_step(self, step: Selector, function: Callable[[StepContext], Any]) -> None:
        """Let `function(context)` take the place of a step's callback, attempt by attempt.

        It returns the result, or raises. It runs in the test, while the test waits for the worker.
        """
        number = mocking.step_function(self._opened.link, function)
        self._mock("function", selected(step), function=number)

    def spy(self, step: Selector) -> Spy:
        """Return what counts the attempts of a step, whose own callback is executed."""
        return Spy(self._opened, self._mock("spy", selected(step)))

    def disable_sleeps(self, *steps: Selector) -> None:
        """End sleeps at once: these steps, or all."""
        for step in steps or (None,):
            self._mock("sleep", _each(step))

    def disable_retry_delays(self, *steps: Selector) -> None:
        """Retry at once: these steps, or all."""
        for step in steps or (None,):
            self._mock("retry_delay", _each(step))

    def mock_event(self, type: str, payload: Any = None) -> None:
        """Send this event to each instance that waits for one of this type."""
        self._mock("event", _each(None), event_type=type, value=encoded(payload))

    def force_event_timeout(self, step: Selector) -> None:
        """Let the wait for an event in this step time out at once."""
        self._mock("event_timeout", selected(step))

    def on_wait(self, type: str, function: Callable[[WaitContext], Any]) -> None:
        """Answer each wait for an event of this type with what `function(context)` returns.

        That is the payload, or `TIMEOUT`, which lets the wait time out.
        """
        number = mocking.wait_function(self._opened.link, function)
        self._mock("responder", _each(None), event_type=type, function=number)

    def hold(self, step: Selector) -> None:
        """Stop before this step, until `release`. `wait_for_step` returns when it is held."""
        self._mock("hold", selected(step))

    def release(self, step: Selector) -> None:
        """Let a held step begin. Raises RefusedError when none is held."""
        self._ask("release", **selected(step), instance=self._id)

    def dispose(self) -> None:
        """Take these mocks away."""
        numbers, self._mocks = self._mocks, []
        self._ask("unmock", numbers=numbers)

    def _check_used(self) -> None:
        """Raise UnusedMock for mocks of this object that were never used."""
        unused = self._opened.link.ask(self._opened.number, "mocks.unused")
        mocking.refuse_unused([each for each in unused if each["number"] in self._mocks])

    def _mock(self, kind: str, step: dict[str, Any], **fields: Any) -> int:
        number = next(mocking.numbers)
        self._ask("mock", number=number, kind=kind, instance=self._id, **step, **fields)
        self._mocks.append(number)
        return number

    def _ask(self, what: str, **args: Any) -> Any:
        number = self._opened.number
        return self._opened.link.ask(number, what, binding=self._binding, **args)


class Workflow(Modifier):
    """One workflow of a worker: its instances, and mocks for all of them."""

    def __init__(self, opened: Opened, binding: str) -> None:
        super().__init__(opened, binding)
        self._since = 0

    def modify_all(self, modify: Callable[[Modifier], None]) -> None:
        """Call `modify` with this object, as Cloudflare's `modifyAll` does."""
        modify(self)

    def get(self) -> list[Instance]:
        """Return the instances that were created since the introspection began, in order."""
        ids = self._ask("instances", since=self._since)
        return [Instance(self._opened, self._binding, id) for id in ids]

    def one(self) -> Instance:
        """Return the only instance. Raises NotFound when there are none, or several."""
        found = self.get()
        if len(found) != 1:
            ids = ", ".join(each.id for each in found)
            there = f"there are {len(found)}: {ids}" if found else "there is none"
            raise NotFound(f"One instance of {self._binding} was expected, and {there}.")
        return found[0]

    def __enter__(self) -> Workflow:
        self._since = self._ask("newest_instance")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._check_used()
        finally:
            self.dispose()


class Instance(Modifier):
    """One instance of a workflow: what it did, what it waits for, and mocks for it alone.

    Waiting moves the worker's clock from deadline to deadline (with `clock="auto"`). No wait hangs:
    when nothing can happen any more, StuckError says what is missing; WaitTimeout comes after
    `timeout` seconds of real time, the option `timeout` of the worker without it.
    """

    def __init__(self, opened: Opened, binding: str, id: str) -> None:
        super().__init__(opened, binding, id)
        self.id = id

    def modify(self, modify: Callable[[Modifier], None]) -> None:
        """Call `modify` with this object, as Cloudflare's `modify` does."""
        modify(self)

    # --- waiting

    def wait_for_status(self, status: str, *, timeout: float | None = None) -> None:
        """Return when the instance has this status, such as "complete" or "waiting"."""
        self._wait("instance.wait_for_status", timeout, status=status)

    def wait_for_step(self, step: Selector, *, timeout: float | None = None) -> None:
        """Return when a step has begun, or is held."""
        self._wait("instance.wait_for_step", timeout, **selected(step))

    def wait_for_step_result(self, step: Selector, *, timeout: float | None = None) -> Any:
        """Return the result of a step, once it has one. Raises StuckError when it fails."""
        return decoded(self._wait("instance.wait_for_step_result", timeout, **selected(step)))

    def result(self, *, timeout: float | None = None) -> Any:
        """Return the output of the instance, once it is complete.

        Raises WorkflowFailed, with all that it did, when it ends in another way.
        """
        return self._output(self._wait("instance.result", timeout))

    # --- as it is now

    @property
    def status(self) -> str:
        """Its status, such as "running"."""
        return str(self._about("instance.status"))

    def get_output(self) -> Any:
        """Return the output. Raises WorkflowFailed when it is not complete."""
        return self._output(self._about("instance.outcome"))

    def get_error(self) -> dict[str, str]:
        """Return `{"name", "message"}` of the error that ended it. Raises NotFound without one."""
        outcome = self._about("instance.outcome")
        if outcome["error"] is None:
            raise NotFound(f"{self.id} is {outcome['status']} and has no error.")
        error: dict[str, str] = outcome["error"]
        return error

    @property
    def steps(self) -> list[Step]:
        """Its steps, in the order they began."""
        return [Step.of(record) for record in self._about("instance.steps")]

    def step(self, step: Selector) -> Step:
        """Return one step; without a number, the first of that name. Raises NotFound."""
        wanted = selected(step)
        found = self.steps
        for each in found:
            if each.name == wanted["step"] and wanted["index"] in (0, each.count):
                return each
        names = ", ".join(dict.fromkeys(each.name for each in found)) or "none"
        raise NotFound(f"{self.id} has no step {step!r}. Its steps are: {names}.")

    @property
    def events(self) -> list[Event]:
        """The events that were sent to it, in order."""
        return [Event.of(record) for record in self._about("instance.events")]

    def timeline(self) -> str:
        """Return everything about the instance as text, as `describe` shows it."""
        return str(self._about("instance.timeline"))

    def history(self) -> dict[str, Any]:
        """Return its whole history, as `groundfog workflows check` reads it."""
        found: dict[str, Any] = self._about("instance.history")
        return found

    # --- changing it

    def send_event(self, type: str, payload: Any = None) -> None:
        """Send an event to the instance."""
        self._about("instance.send_event", type=type, payload=encoded(payload))

    def pause(self) -> str:
        """Pause it after the steps in flight; return its status."""
        return self._change("pause")

    def resume(self) -> str:
        """Let it go on after a pause; return its status."""
        return self._change("resume")

    def terminate(self, *, rollback: bool = False) -> str:
        """End it for good, or after its rollback handlers; return its status."""
        return self._change("terminate", rollback=rollback)

    def restart(self, *, from_: Selector | None = None) -> str:
        """Begin it again with its params, or from a step on; return its status."""
        if from_ is None:
            return self._change("restart")
        return self._change("restart", start=selected(from_))

    def fork(
        self,
        at: Selector,
        *,
        output: Any = _UNSET,
        params: Any = _UNSET,
        id: str | None = None,
    ) -> Instance:
        """Create an instance that shares what this one had done before a step, and return it.

        The new one goes on with that step; with `output`, the step has returned that already.
        params: others than this one's. id: of the new one, random without it.
        """
        forked = self._about(
            "instance.fork",
            **selected(at),
            new_id=id,
            output=None if output is _UNSET else encoded(output),
            params=None if params is _UNSET else encoded(params),
        )
        return Instance(self._opened, self._binding, forked)

    def diff(self, other: Instance | str) -> list[Difference]:
        """Return what is different in this instance and another one of the same workflow."""
        found = self._about("instance.diff", other=getattr(other, "id", other))
        return [Difference(**each) for each in found]

    def delete(self) -> None:
        """Stop it and forget it; its id can be used again."""
        self._change("delete")

    def skip(self, step: Selector | None = None) -> str:
        """End a sleep, event wait or retry delay now: the one due first, or this step's.

        Returns the step's name and number, `"rest-1"`. A wait for an event then has timed out.
        """
        found = self._about("instance.skip", **_each(step))
        return str(found["name"])

    def _change(self, how: str, rollback: bool = False, start: dict[str, Any] | None = None) -> str:
        return str(self._about("instance.change", how=how, rollback=rollback, start=start))

    def _wait(self, what: str, timeout: float | None, **args: Any) -> Any:
        return self._about(what, timeout_ms=self._opened.timeout_ms(timeout), **args)

    def _about(self, what: str, **args: Any) -> Any:
        return self._ask(what, id=self.id, **args)

    def _output(self, outcome: dict[str, Any]) -> Any:
        if outcome["status"] == "complete":
            return decoded(outcome["output"])
        error, status = outcome["error"], outcome["status"]
        text = f"{self.id} is {status}{_why(error)}\n{outcome['timeline']}"
        raise WorkflowFailed(text, status, error, outcome["timeline"])

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._check_used()
        finally:
            self.dispose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._binding} {self.id}>"


class Spy:
    """Counts the attempts of a step."""

    def __init__(self, opened: Opened, number: int) -> None:
        self._opened = opened
        self._number = number

    @property
    def call_count(self) -> int:
        """How many attempts have begun."""
        link = self._opened.link
        return int(link.ask(self._opened.number, "mock.used", number=self._number))


def _why(error: dict[str, str] | None) -> str:
    """Return an error as a part of a sentence; the message may begin with the name."""
    if error is None:
        return ""
    name, message = error["name"], error["message"]
    return f": {message}" if message.startswith(f"{name}:") else f": {name}: {message}"


def _each(step: Selector | None) -> dict[str, Any]:
    return {"step": "", "index": 0} if step is None else selected(step)
