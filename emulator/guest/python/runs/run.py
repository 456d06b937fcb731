"""Workflow runs: one pass of the user's `run()`. It asks the host about each step by number.

The host decides what happens to a step; the guest executes callbacks on its order. Steps that are
in the history are answered here. PROTOCOL.md, section 8, has the rules.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ....protocol.framing import FrameTooLarge
from ....protocol.runs import (
    RunAsking,
    RunEnd,
    RunStart,
    StepBegin,
    StepDone,
    StepFailed,
)
from ....protocol.values import MalformedValue, StreamValue
from .. import conversion, scope, tracebacks
from ..calling import relaxed_call, settle_coroutine
from ..loader import Worker
from ..loop.web_loop import interrupt
from ..sdk.workers.entrypoints import Context
from ..streams import Send
from .allowance import Allowance
from .attempts import Attempts, Call, Callback
from .callers import Caller, running
from .droppable import RunTasks
from .outputs import Downloads
from .past import Past
from .replaying import Replay
from .rest import Waits, is_at_rest
from .rollbacks import Handler, Handlers
from .step_errors import step_error


class StepObject(Protocol):
    """The `step` of user code."""

    def forget(self) -> None:
        """Nobody uses it any more."""
        ...


MakeStep = Callable[["Run"], StepObject]


class Run:
    """One run, and the scope of the user code in it."""

    depth = 0
    object = None

    def __init__(
        self,
        number: int,
        loop: asyncio.AbstractEventLoop,
        send: Send,
        has_calls: Callable[[int], bool],
    ) -> None:
        self.run = number
        self._names = ""
        self.dropped = False
        self.refuse: Callable[[str], asyncio.Future[Any]] | None = None  # of a probe
        self.replay: Replay | None = None  # while it is guarded: no new step may begin
        self.tasks = RunTasks()
        self.shared: set[asyncio.Future[Any]] = set()  # that the end of a step resolves
        self._loop = loop
        self._send = send
        self.downloads = Downloads(loop, send)
        self._has_calls = has_calls  # whether a run has binding calls in flight
        self.past = Past()
        self._itself = Caller()
        self._shared: frozenset[str] = frozenset()  # what callbacks have asked for as dependencies
        self._calls: dict[int, Call] = {}
        self._last_call = 0
        self._allowance = Allowance()
        self._rolling_back = False  # run() is only executed to give its handlers again
        self._step: StepObject | None = None
        self._failures: list[Exception] = []  # of steps; their tracebacks have been printed
        self._context = contextvars.copy_context()
        self._context.run(scope.enter, self)
        self.attempts = Attempts(self, self._context, self._calls, self.downloads, loop, send)
        self.handlers = Handlers(loop, self.attempts.roll_back, send, self._is_at_rest)

    @property
    def label(self) -> str:
        """The label of the lines that it prints."""
        return self._names

    def start(
        self,
        message: RunStart,
        worker: Worker,
        make_step: MakeStep,
        ended: Callable[[int], None],
    ) -> None:
        """Call the user's `run()`; `ended` is called when the run is over."""
        self._names = f"{message.workflow}\t{message.instance}"
        self._rolling_back = message.rolling_back
        if message.guarded:
            self.refuse = self._refuse if message.probe else None
            self.replay = Replay(self.run, worker, self._waits, self._send, self._loop)
        self._allowance.grant(message.free_steps, message.begun)
        self._shared = frozenset(message.shared)
        main = self._main(message, worker, make_step, ended)
        self._loop.create_task(main, context=self._context)

    def fail(self, problem: str) -> None:
        """End it with an error: a message about it could not be handled."""
        self._tell_end(RunEnd(self.run, "WorkflowInternalError", problem))
        self.drop()

    def drop(self) -> None:
        """Forget everything without settling anything."""
        self.dropped = True
        self.release()
        self._calls.clear()
        self.downloads.clear()
        interrupt(self, GeneratorExit)
        # In the run's own context: what its `finally` blocks try is refused as the run's.
        self._context.copy().run(self.tasks.drop)
        self._let_go()

    def _let_go(self) -> None:
        """Break its reference cycles, so that its memory is free at once.

        The garbage collector runs seldom, and thousands of runs may be dropped in between.
        """
        self._context = contextvars.Context()
        self.attempts.forget()
        self.handlers.forget()
        if self._step is not None:
            self._step.forget()
            self._step = None

    def ask_first(self) -> None:
        """Begin no more steps without asking; the host reads of begun steps before this answer."""
        self._allowance.revoke()
        self._send(RunAsking(self.run))

    def release(self) -> None:
        """It is no longer guarded."""
        if self.replay is not None:
            self.replay.stop()
            self.replay = None

    def _refuse(self, what: str) -> asyncio.Future[Any]:
        if self.replay is not None:
            self.replay.give_up(what)
        return self._loop.create_future()

    def wait_until(self, awaitable: Awaitable[Any]) -> None:
        """Run `awaitable` beside the run, until the guest forgets the run."""
        asyncio.ensure_future(awaitable)

    def step(
        self,
        kind: str,
        name: str,
        options: dict[str, Any],
        callback: Callback | None = None,
        line: str = "",
        handler: Handler | None = None,
        shared: int = 0,
    ) -> asyncio.Future[Any]:
        """Call a step now and return a future of its result; `handler` rolls it back.

        shared: as in StepBegin.
        """
        if self.dropped:
            raise scope.RunDropped
        caller = running.get() or self._itself
        if caller.call < 0 or (self.handlers.over and not self._rolling_back):
            raise step_error("WorkflowFatalError", "Cannot execute steps during rollback phase")
        count = caller.count(kind, name)
        answer: asyncio.Future[Any] = self._loop.create_future()
        if handler is not None:
            made = self._last_call + 1 if caller.call else 0
            self.handlers.add(made or (name, count), handler)
        known = None if caller.call else self.past.pop(kind, name, count)
        if self.replay is not None:
            asked = 0 if known is not None else self._last_call + 1
            self.replay.ask(kind, name, count, line, asked)
            if known is not None and not self.past:
                self.replay.through()
        if known is not None:
            succeeded, value = known
            if succeeded:
                answer.set_result(self.downloads.received(value, f"{name}-{count}", self))
            else:
                answer.set_exception(self._failure(value["name"], value["message"]))
            return answer
        self._last_call += 1
        if self._rolling_back:  # it had not ended when the rollback began, and never will
            self._calls[self._last_call] = Call(answer, name, count, None)
            return answer
        number = self._last_call
        started = (
            callback is not None
            and self._allowance.use(name, count, options)
            and self.replay is None
            and not callback.wants_ctx
            and not shared
            and (caller.call == 0 or self._is_first(caller))
        )
        parent = caller.call
        self._send(
            StepBegin(self.run, number, kind, name, count, options, line, parent, started, shared)
        )
        call = self._calls[number] = Call(answer, name, count, callback)
        if started:  # in a later turn: by then the host has been told
            self.attempts.execute(number, call, 1, {})
        return answer

    def is_in_callback(self) -> bool:
        """Whether the code that runs is a callback's."""
        return running.get() is not None

    def may_be_shared(self, name: str) -> bool:
        """Whether the result of a dependency may be one that a callback asks for, or has."""
        return name in self._shared or self.is_in_callback()

    def _is_first(self, caller: Caller) -> bool:
        """Whether nothing that `caller` calls can have been called before.

        That holds during the first attempt of its step.
        """
        call = self._calls.get(caller.call)
        return caller.attempt == 1 and call is not None and call.attempt == 1

    def step_done(self, message: StepDone) -> None:
        """The step is recorded: resolve the call."""
        call = self._calls.pop(message.call, None)
        if call is not None and not call.answer.done():
            try:
                value = conversion.decode(message.payload or call.payload)
            except MalformedValue as error:
                text = f"The value of step {call.label} is damaged: {error}"
                call.answer.set_exception(self._failure("WorkflowInternalError", text))
                return
            if type(value) is StreamValue:
                value = self.downloads.stream(value, call.label, self)
            call.answer.set_result(value)

    def step_failed(self, message: StepFailed) -> None:
        """The step failed for good: raise in the call."""
        call = self._calls.pop(message.call, None)
        if call is not None and not call.answer.done():
            call.stop_upload()
            call.answer.set_exception(self._failure(message.name, message.message))

    def _is_at_rest(self) -> bool:
        return is_at_rest(self._waits(), self._loop)

    def _waits(self) -> Waits:
        steps = [call.answer for call in self._calls.values()]
        return Waits(
            list(self.tasks),
            [*steps, *self.shared],
            bool(self.downloads) or self._has_calls(self.run),
            lambda context: scope.find_in(context) is self,
        )

    def _failure(self, name: str, message: str) -> Exception:
        error = step_error(name, message)
        self._failures.append(error)
        return error

    async def _main(
        self,
        message: RunStart,
        worker: Worker,
        make_step: MakeStep,
        ended: Callable[[int], None],
    ) -> None:
        kept = self._rolling_back
        try:
            result = await settle_coroutine(self._enter(message, worker, make_step))
            if not self._rolling_back:
                self._tell_end(RunEnd(self.run, payload=conversion.encode(result)))
        except BaseException as error:  # any error of run() is the instance's outcome
            if self.dropped:
                raise
            if not self._rolling_back:
                if self.refuse is None and not any(error is known for known in self._failures):
                    tracebacks.print_error(error)
                kept = bool(self.handlers)
                damaged = bool(self.past.damage)
                self._tell_end(RunEnd(self.run, *_told(error), kept=kept, damaged=damaged))
        self._calls.clear()
        if kept:
            self.handlers.complete()
            return
        number, self.run = self.run, 0  # what goes on after run() is no longer part of the run
        if len(self.tasks) == 1:  # this one
            self._let_go()
        ended(number)

    def _tell_end(self, end: RunEnd) -> None:
        self._allowance.revoke()
        if self.replay is not None:
            self.replay.end(f"{end.name}: {end.message}" if end.name else "")
        self._send(end)

    def _enter(self, message: RunStart, worker: Worker, make_step: MakeStep) -> Any:
        cls = worker.workflows.get(message.class_name)
        if cls is None:
            raise TypeError(
                f"There is no '{message.class_name}' class defined in the Python Worker's "
                "main module"
            )
        context = Context(exports=worker.exports)
        method = getattr(cls(context, worker.env), "run", None)
        if method is None:
            raise TypeError("Method run does not exist")
        event = self.past.event(message)
        self._refuse_damaged()
        self._step = make_step(self)
        return relaxed_call(method, event, self._step)

    def _refuse_damaged(self) -> None:
        """Raise the error of a run that cannot begin, because its history or event is damaged."""
        if not self.past.damage:
            return
        if self.replay is not None and self.refuse is not None:
            self.replay.doubt(self.past.damage)
        self.release()  # it has asked for nothing, which tells nothing about the code
        raise step_error("WorkflowInternalError", self.past.damage)


def _told(error: BaseException) -> tuple[str, str, str]:
    if isinstance(error, FrameTooLarge):
        return "RangeError", f"the value returned from run() does not fit: {error}", ""
    return tracebacks.told(error)
