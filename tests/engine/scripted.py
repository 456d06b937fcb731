"""A guest inside the test: it speaks the runner protocol with the engine, message for message.

Workflows are async functions `run(event, step)`. As PROTOCOL.md, section 8 asks, steps that history
knows are answered here, all others are asked of the engine, and a dropped run is never settled.
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections import Counter, deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from emulator.engine.decide.step_config import resolve_config
from emulator.engine.engine import Engine
from emulator.engine.model.step_key import StepKey
from emulator.protocol import values
from emulator.protocol.loading import Loaded
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import (
    History,
    Replayed,
    RollbackRun,
    RunAbort,
    RunAskFirst,
    RunAsking,
    RunEnd,
    RunRelease,
    RunStart,
    StepBegin,
    StepChunk,
    StepDelay,
    StepDelayed,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
    StepTaken,
    StreamPiece,
    StreamRead,
)
from emulator.protocol.values import StreamValue

_REST_TURNS = 6
RESTLESS = ("restless", "waiting at x.py:1")
Callback = Callable[["Context"], Any]
Delay = Callable[[int, "StepError"], Any]  # of the attempt that failed, and its error
Handler = Callable[["Undo"], Any]
Workflow = Callable[[dict[str, Any], "Step"], Coroutine[Any, Any, Any]]


class StepError(Exception):
    """An error with the name it has in JavaScript; what a step raises in `run()`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


@dataclass(frozen=True)
class Execution:
    """One execution of a callback. `attempt` is the number the engine gave it."""

    instance: str
    step: str  # "charge-1"
    attempt: int


@dataclass
class Context:
    """What a callback gets. Steps made with `step` are nested in it."""

    attempt: int
    config: dict[str, Any]
    step: Step


@dataclass
class Undo:
    """What a rollback handler gets."""

    step: str  # "charge-1"
    attempt: int  # of the step
    config: dict[str, Any]
    error: StepError
    output: Any


class Stream:
    """What a callback returns to stream its output: whatever yields bytes, 256 KiB at the most."""

    def __init__(self, chunks: AsyncIterable[bytes] | Iterable[bytes]) -> None:
        self.chunks = chunks


class InvalidStream(Exception):
    """What the guest finds wrong with a stream, whatever is tried again."""


@dataclass
class StoredStream:
    """What `run()` gets of a step that streamed its output."""

    guest: ScriptedGuest
    run: int
    label: str
    value: StreamValue

    async def read(self) -> bytes:
        """Read all of it. Raises StepError."""
        read = self.guest.read
        return b"".join([await read(self, at) for at in range(self.value.chunks)])


Given = tuple[str, int] | int  # name and count of a step of `run()`, or the number of a call


@dataclass
class _Call:
    answer: asyncio.Future[Any]
    label: str
    callback: Callback | None
    delay: Delay | None
    sent: bytes = b""
    attempt: int = 0  # the last one
    over: bool = False
    taken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Run:
    instance: str = ""
    history: dict[tuple[str, str, int], tuple[bool, Any]] = field(default_factory=dict)
    calls: dict[int, _Call] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    last_call: int = 0
    handlers: dict[Given, Handler] = field(default_factory=dict)
    orders: list[RollbackRun] = field(default_factory=list)  # for handlers not yet given
    rolling_back: bool = False
    over: bool = False
    asked: list[list[Any]] | None = None  # while it is guarded
    free_steps: int = 0
    begun: list[tuple[str, int]] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)

    def config_to_begin_with(
        self, kind: str, name: str, count: int, options: dict[str, Any]
    ) -> Any:
        """Return the configuration of a step that may begin at once; None: ask."""
        if kind != "do" or self.free_steps <= 0:
            return None
        self.free_steps -= 1
        asks = options or self.asked is not None or (name, count) in self.begun
        return None if asks else resolve_config(None).config


class Step:
    """The `step` of `run(event, step)`; calls start when they are made, as futures."""

    def __init__(self, guest: ScriptedGuest, run: int, parent: int = 0, attempt: int = 0) -> None:
        self._guest = guest
        self._run = run
        self.parent = parent
        self.attempt = attempt  # of the parent
        self.counts: Counter[tuple[str, str]] = Counter()

    def do(
        self,
        name: str,
        callback: Callback,
        config: Any = None,
        line: str = "",
        rollback: Handler | None = None,
        rollback_config: Any = None,
        delay: Delay | None = None,
        shared: int = 0,
    ) -> asyncio.Future[Any]:
        """`shared`: it is a dependency, the n-th of its name that `run()` declares."""
        options = {} if config is None else {"config": config}
        if delay is not None:
            retries = {**(config or {}).get("retries", {"limit": 5}), "delay": {"$function": 1}}
            options["config"] = {**(config or {}), "retries": retries}
        if rollback is not None:
            options["rollback"] = rollback_config or {}
        return self._call("do", name, options, callback, line, rollback, delay, shared)

    def sleep(self, name: str, duration: Any, line: str = "") -> asyncio.Future[Any]:
        return self._call("sleep", name, {"duration": duration}, line=line)

    def sleep_until(self, name: str, timestamp: Any) -> asyncio.Future[Any]:
        return self._call("sleep", name, {"timestamp": timestamp})

    def wait_for_event(
        self, name: str, event_type: str, timeout: Any = None
    ) -> asyncio.Future[Any]:
        options = {"type": event_type}
        if timeout is not None:
            options["timeout"] = timeout
        return self._call("waitForEvent", name, options)

    def _call(
        self,
        kind: str,
        name: str,
        options: dict[str, Any],
        callback: Callback | None = None,
        line: str = "",
        handler: Handler | None = None,
        delay: Delay | None = None,
        shared: int = 0,
    ) -> asyncio.Future[Any]:
        return self._guest.call(
            self._run, kind, name, options, callback, line, self, handler, delay, shared
        )


class ScriptedGuest:
    """One generation of code. `sent` is every message the engine sent it."""

    def __init__(
        self,
        engine: Engine,
        generation: int,
        workflows: Mapping[str, Workflow],
        executions: list[Execution],
        *,
        free_steps: bool = True,
    ) -> None:
        self.generation = generation
        self.loaded = Loaded({}, {name: "src/entry.py:1" for name in workflows}, {}, free_steps)
        self.sent: list[Message] = []
        self.answers_ask_first = True
        self.comes_to_rest = True  # or does I/O outside steps in every guarded run
        self.activity = 0
        self.defects: list[BaseException] = []  # what the engine raised for what this guest said
        self.deaf = False  # what the engine sends has not come through yet: code that computes
        self._engine = engine
        self._workflows = workflows
        self._executions = executions
        self._inbox: deque[Message | Callable[[], None]] = deque()
        self._runs: dict[int, _Run] = {}
        self._gone = False
        self._reads: list[asyncio.Future[bytes]] = []

    @property
    def runs(self) -> int:
        """How many runs it holds in memory."""
        return len(self._runs)

    def send(self, message: Message) -> None:
        """What the engine calls; the message arrives in a later turn of the loop."""
        if not self._gone:
            self.activity += 1
            self.sent.append(message)
            self._inbox.append(message)
            asyncio.get_running_loop().call_soon(self._receive)

    def hear(self) -> None:
        """Receive everything that came while it was deaf."""
        self.deaf = False
        for _ in self._inbox:
            asyncio.get_running_loop().call_soon(self._receive)

    def broke_protocol(self, error: ProtocolError) -> None:
        """No script says what no guest says."""
        raise error

    def when_read(self, callback: Callable[[], None]) -> None:
        """Messages arrive one per turn of the loop, in order."""
        self._inbox.append(callback)
        asyncio.get_running_loop().call_soon(self._receive)

    def die(self) -> None:
        """Stop all at once, as a killed process does."""
        self._gone = True
        for run in list(self._runs):
            self._drop(run)

    def _receive(self) -> None:
        if self._gone or self.deaf or not self._inbox:
            return
        self.activity += 1
        match self._inbox.popleft():
            case FunctionType() | MethodType() | partial() as read:
                read()
            case History(number, payload):
                known = self._runs.setdefault(number, _Run()).history
                for kind, name, count, outcome, value in values.decode(payload):
                    known[kind, name, count] = (outcome == "ok", value)
            case RunStart() as start:
                run = self._runs.setdefault(start.run, _Run(start.instance))
                run.instance = start.instance
                run.rolling_back = start.rolling_back
                run.free_steps = start.free_steps
                run.begun = [(name, count) for name, count in start.begun]
                run.shared = start.shared
                if start.guarded:
                    run.asked = []
                    asyncio.get_running_loop().call_soon(self._look, start.run, 0, -1)
                self._spawn(run, self._main(start))
            case RunAskFirst(number):
                if number in self._runs and self.answers_ask_first:
                    self._runs[number].free_steps = 0
                    self._engine.hear(self, RunAsking(number))
            case RunRelease(number):
                if number in self._runs:
                    self._runs[number].asked = None
            case RunAbort(number):
                self._drop(number)
            case StepRun() as order:
                if order.run in self._runs and order.call in self._runs[order.run].calls:
                    self._spawn(self._runs[order.run], self._attempt(order))
            case StepTaken(over=over) as taken:
                run = self._runs.get(taken.run, _Run())
                call = run.calls.get(taken.call)
                if call is not None and taken.attempt == call.attempt:
                    call.over = call.over or over
                    call.taken.set()
            case StreamPiece() as piece:
                if piece.error:
                    self._reads[piece.read].set_exception(StepError("Error", piece.error))
                else:
                    self._reads[piece.read].set_result(piece.payload)
            case StepDelay() as asked:
                if asked.run in self._runs and asked.call in self._runs[asked.run].calls:
                    self._spawn(self._runs[asked.run], self._delayed(asked))
            case RollbackRun() as order:
                if order.run in self._runs:
                    self._runs[order.run].orders.append(order)
                    self._roll_back(self._runs[order.run])
            case StepDone(number, call_number, payload):
                call = self._answered(number, call_number)
                if call is not None:
                    value = values.decode(payload or call.sent)
                    call.answer.set_result(self._received(number, call.label, value))
            case StepFailed(number, call_number, name, message):
                call = self._answered(number, call_number)
                if call is not None:
                    call.answer.set_exception(StepError(name, message))
            case other:
                raise AssertionError(other)

    def _answered(self, number: int, call: int) -> _Call | None:
        run = self._runs.get(number)
        return None if run is None else run.calls.pop(call)

    def call(
        self,
        number: int,
        kind: str,
        name: str,
        options: dict[str, Any],
        callback: Callback | None,
        line: str,
        caller: Step,
        handler: Handler | None,
        delay: Delay | None,
        shared: int = 0,
    ) -> asyncio.Future[Any]:
        """Make a step call for user code."""
        run = self._runs[number]
        if run.over and not run.rolling_back:
            raise StepError("WorkflowFatalError", "Cannot execute steps during rollback phase")
        caller.counts[kind, name] += 1
        count = caller.counts[kind, name]
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        if handler is not None:
            run.handlers[run.last_call + 1 if caller.parent else (name, count)] = handler
            self._roll_back(run)
        known = None if caller.parent else run.history.pop((kind, name, count), None)
        if run.asked is not None:
            run.asked.append([kind, name, count, line, 0 if known else run.last_call + 1])
            if known and not run.history:
                self._engine.hear(self, Replayed(number, "through", [], []))
        if known is not None:
            succeeded, value = known
            if succeeded:
                answer.set_result(self._received(number, f"{name}-{count}", value))
            else:
                answer.set_exception(StepError(value["name"], value["message"]))
            return answer
        if run.rolling_back:
            return answer
        run.last_call += 1
        run.calls[run.last_call] = _Call(answer, f"{name}-{count}", callback, delay)
        config = run.config_to_begin_with(kind, name, count, options)
        around = run.calls.get(caller.parent)
        if caller.parent and (around is None or (around.attempt, caller.attempt) != (1, 1)):
            config = None
        if not (caller.parent or name in run.shared):
            shared = 0
        config = None if shared else config
        started, parent = config is not None, caller.parent
        of = number, run.last_call, kind, name, count, options, line, parent, started, shared
        begin = StepBegin(*of)
        self._engine.hear(self, begin)
        if started:  # as the engine counts it, which no real guest knows before it is told
            self._label(number, run.last_call)
        if config is not None:
            self._spawn(run, self._attempt(StepRun(number, run.last_call, 1, config)))
        return answer

    def _label(self, number: int, call: int) -> None:
        run = self._engine.roster.run(number)
        assert run is not None
        key = run.calls.key_of(call)
        if key is not None:
            self._runs[number].calls[call].label = StepKey.of(key).label

    def _look(self, number: int, quiet: int, seen: int) -> None:
        """A guarded run rests when it has asked for nothing more during some turns of the loop."""
        run = self._runs.get(number)
        if run is None or run.asked is None:
            return
        self.activity += 1
        reading = any(not read.done() for read in self._reads)
        quiet = quiet + 1 if len(run.asked) == seen and not reading else 0
        if quiet < _REST_TURNS:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._look, number, quiet, len(run.asked))
        else:
            self._tell(number, *(("rested",) if self.comes_to_rest else RESTLESS))

    def _tell(self, number: int, state: str, error: str = "") -> None:
        run = self._runs[number]
        asked, run.asked = run.asked, None
        if asked is not None:
            self._engine.hear(self, Replayed(number, state, asked, [], error))

    async def _main(self, start: RunStart) -> None:
        run = self._runs[start.run]
        try:
            workflow = self._workflows[start.class_name]
            result = await workflow(values.decode(start.payload), Step(self, start.run))
            end = RunEnd(start.run, payload=values.encode(result))
        except Exception as error:
            end = RunEnd(start.run, *_told(error), kept=bool(run.handlers))
        self._tell(start.run, "ended", f"{end.name}: {end.message}" if end.name else "")
        if start.run not in self._runs:
            return  # dropped on what it told
        if end.kept or run.rolling_back:
            run.over = True
            run.calls.clear()
            self._roll_back(run)
            if not run.rolling_back:
                self.activity += 1
                self._engine.hear(self, end)
            return
        del self._runs[start.run]
        run.tasks.discard(asyncio.current_task())
        for task in run.tasks:
            task.cancel()
        self.activity += 1
        self._engine.hear(self, end)

    async def _attempt(self, order: StepRun) -> None:
        run = self._runs[order.run]
        call = run.calls[order.call]
        assert call.callback is not None
        call.attempt = order.attempt
        if order.count:
            call.label = f"{call.label.rpartition('-')[0]}-{order.count}"
        self._executions.append(Execution(run.instance, call.label, order.attempt))
        nested = Step(self, order.run, order.call, order.attempt)
        try:
            value = call.callback(Context(order.attempt, order.config, nested))
            value = await value if inspect.isawaitable(value) else value
            if isinstance(value, Stream):
                if not await self._upload(value, order, call):
                    return
                end = StepEnd(order.run, order.call, order.attempt, stream=True)
            else:
                payload = values.encode(value)
                end = StepEnd(order.run, order.call, order.attempt, payload=payload)
                call.sent = payload
        except InvalidStream as error:
            told = "UnsupportedStreamChunkError", str(error)
            end = StepEnd(order.run, order.call, order.attempt, *told, fatal=True, stream=True)
        except values.NotCloneable as error:
            end = StepEnd(
                order.run, order.call, order.attempt, "DataCloneError", str(error), fatal=True
            )
        except Exception as error:
            end = StepEnd(order.run, order.call, order.attempt, *_told(error))
        self.activity += 1
        self._engine.hear(self, end)

    async def _upload(self, stream: Stream, order: StepRun, call: _Call) -> bool:
        """Send a stream, one piece at a time; False: the attempt is over."""
        call.over = False
        pieces = stream.chunks
        if not isinstance(pieces, AsyncIterable):
            pieces = _each(pieces)
        async for piece in pieces:
            call.taken.clear()
            self.activity += 1
            self._engine.hear(self, StepChunk(order.run, order.call, order.attempt, piece))
            await call.taken.wait()
            if call.over:
                return False
        return True

    def _received(self, run: int, label: str, value: Any) -> Any:
        return StoredStream(self, run, label, value) if isinstance(value, StreamValue) else value

    async def read(self, stored: StoredStream, position: int) -> bytes:
        """Ask the engine for a piece of a stored stream."""
        found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._reads.append(found)
        value = stored.value
        where = value.id, position, value.chunks, value.size, stored.label
        self.activity += 1
        self._engine.hear(self, StreamRead(stored.run, len(self._reads) - 1, *where))
        return await found

    async def _delayed(self, asked: StepDelay) -> None:
        call = self._runs[asked.run].calls[asked.call]
        told = asked.run, asked.call, asked.attempt
        assert call.delay is not None
        try:
            delay = call.delay(asked.attempt, StepError(asked.name, asked.message))
            delay = await delay if inspect.isawaitable(delay) else delay
            answer = StepDelayed(*told, payload=values.encode(delay))
        except StepError as error:
            answer = StepDelayed(*told, problem=f"threw an error: {error.message}")
        self.activity += 1
        self._engine.hear(self, answer)

    def _roll_back(self, run: _Run) -> None:
        """Execute the handlers that were ordered and are there."""
        for order in list(run.orders):
            given = order.given or (order.name, order.nth or order.count)
            if run.over or order.given or given in run.handlers:
                run.orders.remove(order)
                self._spawn(run, self._rolled_back(order, run.handlers.get(given)))

    async def _rolled_back(self, order: RollbackRun, handler: Handler | None) -> None:
        run, label = self._runs[order.run], f"{order.name}-{order.count}"
        end = StepEnd(order.run, order.call, order.attempt)
        try:
            if handler is None:
                raise StepError("RollbackMissing", "Rollback function not available in registry")
            self._executions.append(Execution(run.instance, f"undo {label}", order.attempt))
            error = StepError(order.error_name, order.error_message)
            output = values.decode(order.payload) if order.payload else None
            output = self._received(order.run, label, output)
            undone = handler(Undo(label, order.step_attempt, order.config, error, output))
            if inspect.isawaitable(undone):
                await undone
        except Exception as error:
            end = StepEnd(order.run, order.call, order.attempt, *_told(error))
        self.activity += 1
        self._engine.hear(self, end)

    def _drop(self, number: int) -> None:
        run = self._runs.pop(number, None)
        if run is not None:
            for task in run.tasks:
                task.cancel()

    def _spawn(self, run: _Run, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        run.tasks.add(task)
        task.add_done_callback(run.tasks.discard)
        task.add_done_callback(self._note_defect)

    def _note_defect(self, task: asyncio.Task[None]) -> None:
        """Remember what the engine raised: in a real host it would be a defect that is logged."""
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, ProtocolError):
            return
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if any(name.endswith("emulator/engine/engine.py") for name in files):
            self.defects.append(error)


async def _each(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, StepError):
        return error.name, error.message
    return type(error).__name__, str(error)
