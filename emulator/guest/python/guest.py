"""The guest: takes the host's messages and passes each to the exchange or run it is about."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ...protocol.bindings import BindingFailed, BindingResult
from ...protocol.exchanges import Cancel, Credit, Data, End, Fetch, Invoke, InvokeDone, InvokeFailed
from ...protocol.life import Ping, Pong, Shutdown, Stopped
from ...protocol.loading import OTHER_VERSION, PROTOCOL_VERSION, Load, LoadFailed
from ...protocol.message import Message, ProtocolError
from ...protocol.objects import ObjectClose, ObjectOpen, StorageFailed, StorageResult
from ...protocol.runs import (
    History,
    RollbackRun,
    RunAbort,
    RunAskFirst,
    RunRelease,
    RunStart,
    StepDelay,
    StepDone,
    StepFailed,
    StepRun,
    StepTaken,
    StreamPiece,
)
from . import conversion, flags, hints, host_calls, loader, network, traces
from .calls import BindingCalls
from .debugging import breakpoints
from .env import _EnvWrapper
from .exchange import Exchange
from .exports import Exports
from .fetching import FetchExchange
from .invoking import InvokeExchange
from .loader import Worker
from .loop.web_loop import WebLoop
from .members import members
from .objects.line import Ask
from .objects.objects import GONE, Objects
from .own_calls import OwnCalls
from .runs.droppable import let_go_without_a_word, task_factory
from .runs.run import Run
from .runs.step import ImplicitStep, LegacyStep
from .streams import IncomingBody, Send
from .stubs import Stubs


class Guest:
    """One generation of user code and everything in flight in it."""

    def __init__(
        self,
        loop: WebLoop,
        generation: int,
        send: Send,
        close: Callable[[], None],
        ask: Ask,
    ) -> None:
        self._loop = loop
        self._generation = generation
        self._send = send
        self._close = close
        self._worker: Worker | None = None
        self._calls = BindingCalls(loop, send)
        self._stubs = self._calls.functions = Stubs(self._calls)
        self._objects = Objects(send, ask)
        self._exchanges: dict[int, Exchange] = {}
        self._runs: dict[int, Run] = {}
        self.routes: dict[type[Message], Callable[[Any], None]] = {
            BindingFailed: self._calls.failure,
            BindingResult: self._calls.result,
            Cancel: self._on_cancel,
            Credit: self._on_credit,
            Data: self._on_data,
            End: self._on_end,
            Fetch: lambda message: self._open(message, FetchExchange),
            Invoke: lambda message: self._open(message, self._invoked),
            History: lambda message: self._run(message.run).past.remember(message.payload),
            Load: self._on_load,
            ObjectClose: self._objects.close,
            ObjectOpen: self._on_object_open,
            Ping: lambda message: self._send(Pong(message.number)),
            RollbackRun: self._to_run(lambda run, message: run.handlers.execute(message)),
            RunAbort: self._on_run_abort,
            RunAskFirst: self._to_run(lambda run, message: run.ask_first()),
            RunRelease: lambda message: self._release(message.run),
            RunStart: self._on_run_start,
            Shutdown: lambda message: self._close(),
            StepDelay: self._to_run(lambda run, message: run.attempts.step_delay(message)),
            StepDone: self._to_run(Run.step_done),
            StepFailed: self._to_run(Run.step_failed),
            StepRun: self._to_run(lambda run, message: run.attempts.step_run(message)),
            StepTaken: self._to_run(lambda run, message: run.attempts.step_taken(message)),
            StorageFailed: self._objects.storages.answered,
            StorageResult: self._objects.storages.answered,
            StreamPiece: self._to_run(lambda run, message: run.downloads.piece(message)),
        }
        loop.set_task_factory(task_factory)
        let_go_without_a_word()

    def receive(self, message: Message) -> None:
        """Handle one message. Raises ProtocolError for a message that is not for guests."""
        route = self.routes.get(type(message))
        if route is None:
            raise ProtocolError(f"{message.type} is not for guests")
        if self._worker is None and type(message) not in (Load, Shutdown):
            raise ProtocolError(f"{message.type} before load")
        try:
            route(message)
        except ProtocolError:
            raise
        except Exception as error:  # a defect of ours, or a damaged value: only this message fails
            self._fail(message, error)

    def _fail(self, message: Message, error: Exception) -> None:
        """Fail only the exchange or run of a message that could not be handled."""
        text = f"{message.type} could not be handled: {error!r}"
        run = self._runs.pop(getattr(message, "run", 0), None)
        if run is not None:
            run.fail(text)
        elif isinstance(message, Fetch | Invoke):
            self._send(InvokeFailed(message.id, "Error", text, ""))
            self._send(InvokeDone(message.id))
        else:
            raise ProtocolError(text) from error

    def _on_load(self, message: Load) -> None:
        if message.protocol != PROTOCOL_VERSION:
            self._send(_other_version(message.protocol))
            return
        if self._worker is not None:
            raise ProtocolError("load came twice")
        self._stubs.address = message.address
        variables = conversion.decode(message.payload) or {}
        env = _EnvWrapper(members(self._calls, message.bindings, variables.get("vars", {})))
        hints.elsewhere.update(variables.get("elsewhere", {}))
        host_calls.use(self._calls)
        if message.asks_network:
            network.guard(message.allowed_hosts)
        if message.traced:
            traces.collect()
        if message.clock_ahead_ms:
            from . import shifted_clock

            shifted_clock.shift(message.clock_ahead_ms)
        if debugger := breakpoints.chosen_debugger():
            self._send(Stopped(debugger))
        if message.debug:
            from .debugging import editor

            self._send(editor.listen())
        result = loader.load(message, env)
        if isinstance(result, LoadFailed):
            self._send(result)
        else:
            self._worker = result
            own = OwnCalls(result, self._calls, self._stubs, message.bindings, self._loop)
            self._calls.own = own
            if result.flags.get(flags.CTX_EXPORTS):
                result.exports = Exports(self._calls, result.entrypoints)
            self._send(result.loaded())

    def _open(self, message: Any, make: Callable[[Any, Worker, Send], Exchange]) -> None:
        assert self._worker is not None
        instance = self._objects.of(message.object)
        if message.object and instance is None:
            self._send(InvokeFailed(message.id, "Error", GONE, ""))
            self._send(InvokeDone(message.id))
            return
        send = self._send if instance is None else instance.send
        exchange = make(message, self._worker, send)
        exchange.object = instance
        self._exchanges[message.id] = exchange
        task = exchange.start(self._loop)
        task.add_done_callback(lambda _: self._exchanges.pop(message.id, None))

    def _on_object_open(self, message: ObjectOpen) -> None:
        assert self._worker is not None
        self._objects.open(message, self._worker)

    def _invoked(self, message: Invoke, worker: Worker, send: Send) -> Exchange:
        return InvokeExchange(message, worker, send, self._stubs)

    def _on_data(self, message: Data) -> None:
        body = self._incoming(message.id)
        if body is not None:
            body.data(message.payload)

    def _on_end(self, message: End) -> None:
        body = self._incoming(message.id)
        if body is not None:
            body.cut_off(message.error) if message.error else body.end()
        self._calls.stream_ended(message.id)

    def _on_credit(self, message: Credit) -> None:
        exchange = self._exchanges.get(message.id)
        outgoing = self._calls.outgoing(message.id) if exchange is None else exchange.outgoing
        if outgoing is not None:
            outgoing.credit(message.bytes)

    def _on_cancel(self, message: Cancel) -> None:
        exchange = self._exchanges.get(message.id)
        if exchange is not None:
            exchange.cancel()
        elif (outgoing := self._calls.outgoing(message.id)) is not None:
            outgoing.cancel()

    def _incoming(self, exchange_id: int) -> IncomingBody | None:
        exchange = self._exchanges.get(exchange_id)
        return self._calls.stream(exchange_id) if exchange is None else exchange.incoming

    def _run(self, number: int) -> Run:
        run = self._runs.get(number)
        if run is None:
            run = self._runs[number] = Run(number, self._loop, self._send, self._calls.has_open)
        return run

    def _on_run_start(self, message: RunStart) -> None:
        assert self._worker is not None
        worker = self._worker
        implicit = worker.flags.get(flags.IMPLICIT_DEPENDENCIES)
        make = ImplicitStep if implicit else LegacyStep
        self._run(message.run).start(
            message,
            worker,
            lambda run: make(run, str(worker.module_root), str(worker.project_dir)),
            lambda number: self._runs.pop(number, None),  # type: ignore[arg-type]
        )

    def _on_run_abort(self, message: RunAbort) -> None:
        run = self._runs.pop(message.run, None)
        if run is not None:
            run.drop()
            self._calls.drop(message.run)
            sys.stdout.flush()

    def _release(self, number: int) -> None:
        run = self._runs.get(number)
        if run is not None:
            run.release()

    def _to_run(self, method: Callable[[Run, Any], None]) -> Callable[[Any], None]:
        def route(message: Any) -> None:
            run = self._runs.get(message.run)
            if run is not None:  # else it was dropped or is over
                method(run, message)

        return route


def _other_version(version: int) -> LoadFailed:
    text = (
        f"The host speaks version {version} of the runner protocol, the guest version"
        f" {PROTOCOL_VERSION}. Use host and guest of the same version of Groundfog."
    )
    return LoadFailed(OTHER_VERSION, text, "")
