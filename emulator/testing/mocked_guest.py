"""A guest whose steps may be mocked: it stands between the engine and the guest's process.

A mocked attempt is answered when the engine orders it, once for each order, so attempts, retries,
timeouts and the journal are as they would be. The guest's process never executes that callback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from emulator.durations import parse_duration_ms
from emulator.engine.clock_control import Work
from emulator.engine.control import Control
from emulator.engine.model.step import StepState
from emulator.engine.model.step_key import StepKind
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.protocol.loading import Loaded
from emulator.protocol.message import Message
from emulator.protocol.runs import (
    RunEnd,
    RunMessage,
    RunStart,
    StepBegin,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
)
from emulator.runner.guest import Guest
from emulator.testing.connection import TestFailed
from emulator.testing.crashes import Crashes
from emulator.testing.mocks import OF_ATTEMPTS, OF_WAITS, Call, Mock, Mocks
from emulator.testing.ordering import BEGINS, ENDS, Ordering, Waiting

TIMED_OUT = "timeout"  # what a responder returns in place of a payload


class World(Protocol):
    """What a mocked guest needs of the worker under test."""

    mocks: Mocks
    held: list[Held]
    crashes: Crashes
    ordering: Ordering

    async def crash(self) -> None:
        """Kill the guest."""
        ...

    @property
    def control(self) -> Control:
        """What may be asked of instances."""
        ...

    async def call(self, function: int, *args: Any) -> Any:
        """Call a function of the test. Raises TestFailed."""
        ...

    def find_step(self, call: Call, kind: StepKind) -> StepState | None:
        """Return the recorded state of a step."""
        ...

    def work_of(self, run: int, call: int) -> Work | None:
        """Return what the engine calls the attempt that a call executes."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside everything else, for as long as the worker is there."""
        ...


@dataclass(slots=True)
class Held:
    """A step that may not begin yet."""

    mock: Mock
    call: Call
    run: int
    go_on: Callable[[], None]


@dataclass(slots=True)
class _Known:
    """A run in this guest, and its calls that have no answer."""

    workflow: str
    instance: str
    calls: dict[int, StepBegin] = field(default_factory=dict)
    values: dict[int, bytes] = field(default_factory=dict)  # that mocks have returned


class MockedGuest(Guest):
    """A guest of a worker under test."""

    world: World

    def serve(self, loaded: Loaded) -> None:
        """No step begins without the engine's order: it may be mocked."""
        self._known: dict[int, _Known] = {}
        super().serve(replace(loaded, free_steps=False))

    def send(self, message: Message) -> None:
        """Send a message to the process, or answer it here."""
        match message:
            case RunStart(run=run):
                self._known[run] = _Known(message.workflow, message.instance)
            case StepRun(run=run, call=number) if run in self._known:
                if self._answer(message, self._known[run], number):
                    return
                if self.world.ordering.is_on and number in self._known[run].calls:
                    begun = self._known[run].calls[number]
                    self._hold(begun, BEGINS, "begins", partial(super().send, message))
                    return
            case StepDone(run=run, call=number) if run in self._known:
                known = self._known[run]
                known.calls.pop(number, None)
                value = known.values.pop(number, b"")
                if value and not message.payload:
                    message = StepDone(run, number, value)
            case StepFailed(run=run, call=number) if run in self._known:
                self._known[run].calls.pop(number, None)
        super().send(message)

    def hear(self, message: RunMessage) -> None:
        """Pass on what the process says; what is mocked follows."""
        known = self._known.get(message.run)
        self.world.ordering.heard()
        match message:
            case StepBegin() if known is not None:
                self._begun(message, known)
            case StepEnd() if known is not None:
                if not self._is_lost(message, known):
                    self._leave(message, known)
            case RunEnd():
                self._known.pop(message.run, None)
                super().hear(message)
            case _:
                super().hear(message)

    def _leave(self, message: StepEnd, known: _Known) -> None:
        """Pass the end of an attempt on, when it is its turn."""
        begun = known.calls.get(message.call)
        if self.world.ordering.is_on and begun is not None:
            self._hold(begun, ENDS, "ends", partial(self._ended, message, known))
        else:
            self._ended(message, known)

    def _ended(self, message: StepEnd, known: _Known) -> None:
        super().hear(message)
        if message.name and message.call in known.calls:
            self._retries_at_once(_call(known, known.calls[message.call]))

    def _hold(self, begun: StepBegin, what: int, word: str, go: Callable[[], None]) -> None:
        line = f", {begun.line}" if begun.line else ""
        text = f'step "{begun.name}" #{begun.count} {word}{line}'
        work = self.world.work_of(begun.run, begun.call)

        def go_on() -> None:
            go()
            self.all_heard()

        self.world.ordering.hold(Waiting((begun.run, begun.call, what), text, work, go_on))

    def _is_lost(self, message: StepEnd, known: _Known) -> bool:
        """Whether the guest is killed before the end of this attempt is recorded."""
        begun = known.calls.get(message.call)
        if begun is None or message.name or begun.kind != StepKind.DO:
            return False
        if not self.world.crashes.returned(begun.name, begun.count, begun.line):
            return False
        self.world.spawn(self.world.crash())
        return True

    def _begun(self, message: StepBegin, known: _Known) -> None:
        world, call = self.world, _call(known, message)
        known.calls[message.call] = message
        world.mocks.note(call)
        hold = world.mocks.find(call, ("hold",))
        if hold is None:
            self._go_on(message, call)
            return
        hold.used += 1

        def go_on() -> None:
            self._go_on(message, call)
            self.all_heard()

        world.held.append(Held(hold, call, message.run, go_on))

    def _go_on(self, message: StepBegin, call: Call) -> None:
        super().hear(message)
        world = self.world
        if message.kind == StepKind.SLEEP:
            self._ends_at_once(world.mocks.find(call, ("sleep",)), call, StepKind.SLEEP)
        elif message.kind == StepKind.WAIT:
            self._waits(call)

    def _waits(self, call: Call) -> None:
        world, mock = self.world, self.world.mocks.find(call, OF_WAITS)
        if mock is None or world.find_step(call, StepKind.WAIT) is not StepState.WAITING:
            return
        if mock.kind == "event_timeout":
            self._ends_at_once(mock, call, StepKind.WAIT)
            return
        mock.used += 1
        if mock.kind == "event":
            world.spawn(self._send_event(call, mock.value))
        else:
            world.spawn(self._respond(mock, call))

    async def _send_event(self, call: Call, payload: bytes) -> None:
        await self.world.ordering.turn(f'event "{call.event_type}" arrives')
        await _ignoring_ends(
            self.world.control.send_event(
                call.workflow, call.instance, call.event_type, payload or b"null"
            )
        )

    async def _respond(self, mock: Mock, call: Call) -> None:
        context = {"workflow": call.workflow, "instance": call.instance, "step": call.name}
        try:
            outcome, payload = values.decode(await self.world.call(mock.function, context))
        except TestFailed:
            return  # the test has got its own error
        if outcome == TIMED_OUT:
            await _ignoring_ends(self.world.control.skip(call.workflow, call.instance, call.label))
        else:
            await self._send_event(call, payload)

    def _retries_at_once(self, call: Call) -> None:
        self._ends_at_once(
            self.world.mocks.find(call, ("retry_delay",)), call, StepKind.DO, StepState.RETRYING
        )

    def _ends_at_once(
        self, mock: Mock | None, call: Call, kind: StepKind, state: StepState | None = None
    ) -> None:
        """Skip what a step waits for, if a mock says so."""
        found = None if mock is None else self.world.find_step(call, kind)
        if mock is not None and found is not None and state in (None, found):
            mock.used += 1
            control = self.world.control
            self.world.spawn(_ignoring_ends(control.skip(call.workflow, call.instance, call.label)))

    # --- attempts

    def _answer(self, order: StepRun, known: _Known, number: int) -> bool:
        """Answer an ordered attempt, if it is mocked."""
        begun = known.calls.get(number)
        if begun is None:
            return False
        call = _call(known, begun)
        spy = self.world.mocks.find(call, ("spy",))
        if spy is not None:
            spy.used += 1
        mock = self.world.mocks.find(call, OF_ATTEMPTS)
        if mock is None:
            return False
        mock.used += 1
        self.world.spawn(self._attempt(order, mock, call, known))
        return True

    async def _attempt(self, order: StepRun, mock: Mock, call: Call, known: _Known) -> None:
        name, text, value = "", "", b""
        match mock.kind:
            case "error":
                name, text = mock.error
            case "step_timeout":
                name = "WorkflowTimeoutError"
                text = f"Execution timed out after {parse_duration_ms(order.config['timeout'])}ms"
            case "function":
                name, text, value = await self._called(order, mock, call)
            case _:
                await asyncio.sleep(0)
                value = mock.value
        if not name:
            known.values[order.call] = value or b"null"
        end = StepEnd(order.run, order.call, order.attempt, name, text, payload=value or b"null")
        self._leave(end, known)
        self.all_heard()

    async def _called(self, order: StepRun, mock: Mock, call: Call) -> tuple[str, str, bytes]:
        context = {
            "step": {"name": call.name, "count": call.count},
            "attempt": order.attempt,
            "config": order.config,
            "workflow": call.workflow,
            "instance": call.instance,
        }
        try:
            return "", "", await self.world.call(mock.function, context)
        except TestFailed as error:
            return error.name, error.message, b""


def _call(known: _Known, message: StepBegin) -> Call:
    event_type = message.options.get("type", "") if message.kind == StepKind.WAIT else ""
    return Call(known.workflow, known.instance, message.name, message.count, str(event_type))


async def _ignoring_ends(work: Awaitable[object]) -> None:
    """Do it, unless the instance has ended or gone on by then."""
    try:
        await work
    except WorkerError:
        pass
