"""The `step` that `run(event, step)` gets: decorated steps and their dependencies, sleeps, events.

Source: docs/platform/python-workers.md, "Steps" and "Sleeps and waits".
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from types import CodeType
from typing import Any

from ..loader import shown_path
from .callbacks import Function, StepCallback, code_of, dependency_names, parameters
from .rollbacks import Handler
from .run import Run
from .step_options import delay_of, do_options, name_of, plain_json, refuse_bare

Decorated = Callable[[], Awaitable[Any]]
DEFAULT_EVENT_TIMEOUT = "24 hours"
# How many frames of this module are between user code and `_line`: of a sleep or a wait (`_line`,
# `_call` and the method), of a decorated function that is awaited (`_line`, `_execute` and
# `decorated`), and of a declaration (`_line`, `_decorate` and what decorates).
_OURS = 3


@dataclass(slots=True, eq=False)
class _Step:
    """A decorated function. Never changed; not frozen, since a run may make thousands."""

    name: str
    function: Function
    depends: list[Any] | None
    concurrent: bool
    options: dict[str, Any]
    rollback: Handler | None
    delay: Any  # `retries.delay` of the configuration, as it was given
    of_run: bool  # declared by `run()`, not in a callback
    code: CodeType | None = None  # of the function, if user code wrote it
    declared: str = ""  # where the function begins, `"src/entry.py:30"`, if that is known


class _WorkflowStepWrapper:
    """What both ways of declaring dependencies share."""

    def __init__(self, run: Run, module_root: str, project_dir: str) -> None:
        self._run = run
        self._module_root = module_root
        self._project_dir = project_dir
        self._by_name: dict[str, _Step] = {}
        self._by_decorated: dict[Decorated, _Step] = {}
        self._results: dict[_Step, Any] = {}
        self._in_flight: dict[_Step, asyncio.Future[Any]] = {}

    def forget(self) -> None:
        """Forget what was declared: it refers back to this."""
        self._by_name.clear()
        self._by_decorated.clear()
        self._results.clear()

    def sleep(self, name: str, duration: Any) -> Awaitable[None]:
        """Sleep for `duration`: a number of milliseconds, or such as `"10 seconds"`."""
        options = {"duration": plain_json(duration, f'step.sleep("{name}"): duration')}
        return self._call("sleep", name, options)

    def sleep_until(self, name: str, timestamp: datetime | float) -> Awaitable[None]:
        """Sleep until a datetime (naive: local time) or epoch milliseconds."""
        if isinstance(timestamp, datetime):
            timestamp = round(timestamp.timestamp() * 1000)
        options = {"timestamp": plain_json(timestamp, f'step.sleep_until("{name}"): timestamp')}
        return self._call("sleep", name, options)

    async def wait_for_event(
        self, name: str, event_type: str, /, timeout: Any = DEFAULT_EVENT_TIMEOUT
    ) -> Any:
        """Wait for an event of `event_type`; returns `{"payload", "type", "timestamp"}`."""
        timeout = plain_json(timeout, f'step.wait_for_event("{name}"): timeout')
        return await self._call("waitForEvent", name, {"type": event_type, "timeout": timeout})

    def _call(
        self,
        kind: str,
        name: str,
        options: dict[str, Any],
        callback: StepCallback | None = None,
        handler: Handler | None = None,
        shared: int = 0,
        line: str = "",
    ) -> asyncio.Future[Any]:
        name = name_of(name)
        line = line or self._line(_OURS)
        return self._run.step(kind, name, options, callback, line, handler, shared)

    def _decorate(self, step: _Step) -> Decorated:
        step.code = code_of(step.function)
        step.declared = self._declared(step.code)

        async def decorated() -> Any:
            return await self._execute(step)

        decorated.__name__ = step.name
        # What CPython calls a coroutine of it that is never awaited.
        decorated.__qualname__ = f"{step.name} ({step.declared})"
        if self._run.replay is not None:
            self._run.replay.declare(step.name, self._line(_OURS) or step.declared)
        self._by_name[step.name] = step
        self._by_decorated[decorated] = step
        return decorated

    async def _execute(self, step: _Step, shared: int = 0) -> Any:
        """Run a step: its dependencies first, then itself, always as a step of its own."""
        dependencies = self._dependencies(step)
        running: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._in_flight[step] = running
        self._run.shared.add(running)
        try:
            values = await self._resolve(dependencies, step.concurrent) if dependencies else {}
            takes = parameters(step.function, step.code)
            callback = StepCallback(step.function, takes, values, step.delay)
            line = self._line(_OURS) or step.declared
            call = step.name, step.options, callback, step.rollback, shared, line
            result = await self._call("do", *call)
        except BaseException as error:
            if isinstance(error, Exception):
                running.set_exception(error)
                running.exception()  # marked as retrieved: each caller that shares it raises it too
            else:
                running.cancel()
            raise
        else:
            running.set_result(result)
            self._results[step] = result
            return result
        finally:
            self._run.shared.discard(running)
            if self._in_flight.get(step) is running:
                del self._in_flight[step]

    async def _resolve(self, dependencies: dict[str, _Step], concurrent: bool) -> dict[str, Any]:
        if concurrent:
            found = await asyncio.gather(*map(self._result_of, dependencies.values()))
            return dict(zip(dependencies, found, strict=True))
        return {name: await self._result_of(step) for name, step in dependencies.items()}

    async def _result_of(self, step: _Step) -> Any:
        """Return a dependency's result: remembered, shared while in flight, or made now."""
        if step in self._results:
            return self._results[step]
        running = self._in_flight.get(step)
        if running is not None:
            return await asyncio.shield(running)
        return await self._execute(step, self._shared(step))

    def _shared(self, step: _Step) -> int:
        """Return which declaration of its name a dependency is, if callbacks may ask for it, too.

        It is executed once: each caller gets the same, in a replay as well.
        """
        if not step.of_run or not self._run.may_be_shared(step.name):
            return 0
        alike = [s for s in self._by_decorated.values() if s.of_run and s.name == step.name]
        return alike.index(step) + 1

    def _dependencies(self, step: _Step) -> dict[str, _Step]:
        """Return parameter name -> step it takes the result of. Raises TypeError."""
        raise NotImplementedError

    def _line(self, depth: int) -> str:
        """Return where user code made this call, `"src/entry.py:31"`, or nothing.

        depth: how many of the innermost frames are ours. A step awaited through `gather` has no
        caller on the stack.
        """
        frame = sys._getframe(depth)
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(self._module_root):
                return f"{shown_path(file, self._project_dir)}:{frame.f_lineno}"
            frame = frame.f_back  # type: ignore[assignment]
        return ""

    def _declared(self, code: CodeType | None) -> str:
        if code is None:
            return ""
        return f"{shown_path(code.co_filename, self._project_dir)}:{code.co_firstlineno}"


class ImplicitStep(_WorkflowStepWrapper):
    """Parameters are named after the steps whose results they take."""

    def do(
        self,
        name: str | None = None,
        *,
        concurrent: bool = False,
        config: Any = None,
        rollback: Handler | None = None,
        rollback_config: Any = None,
    ) -> Callable[[Function], Decorated]:
        """Declare a step; await the decorated function, without arguments, to run it.

        rollback: called, when the instance fails, with `{"ctx", "error", "output", "stepName"}`.
        """
        refuse_bare(name)

        def decorate(function: Function) -> Decorated:
            called = name_of(function.__name__ if name is None else name)
            options = do_options(called, config, rollback, rollback_config)
            return self._decorate(
                _Step(
                    *(called, function, None, concurrent, options, rollback, delay_of(config)),
                    not self._run.is_in_callback(),
                )
            )

        return decorate

    def _dependencies(self, step: _Step) -> dict[str, _Step]:
        found = {}
        for parameter in dependency_names(parameters(step.function, step.code)):
            if parameter not in self._by_name:
                raise TypeError(f"Received unexpected parameter {parameter}")
            found[parameter] = self._by_name[parameter]
        return found


class LegacyStep(_WorkflowStepWrapper):
    """Parameters take the results of `depends`, in order."""

    def do(
        self,
        name: str,
        depends: list[Any] | None = None,
        concurrent: bool = False,
        config: Any = None,
        *,
        rollback: Handler | None = None,
        rollback_config: Any = None,
    ) -> Callable[[Function], Decorated]:
        """Declare a step; await the decorated function, without arguments, to run it.

        rollback: called, when the instance fails, with `{"ctx", "error", "output", "stepName"}`.
        """
        refuse_bare(name)
        name = name_of(name)
        options = do_options(name, config, rollback, rollback_config)
        return lambda function: self._decorate(
            _Step(
                *(name, function, depends, concurrent, options, rollback, delay_of(config)),
                not self._run.is_in_callback(),
            )
        )

    def _dependencies(self, step: _Step) -> dict[str, _Step]:
        names = dependency_names(parameters(step.function, step.code))
        if names and not step.depends:
            raise TypeError(
                f"Step has {len(names)} non-ctx parameter(s) but no 'depends' list provided"
            )
        depends = step.depends or []
        if len(names) != len(depends):
            raise TypeError(
                f"Step declares {len(names)} non-ctx parameter(s) but 'depends' has "
                f"{len(depends)} item(s)"
            )
        found = {}
        for parameter, dependency in zip(names, depends, strict=True):
            if dependency not in self._by_decorated:
                raise TypeError(
                    f"'depends' entry for parameter '{parameter}' is not a function decorated "
                    "with step.do"
                )
            found[parameter] = self._by_decorated[dependency]
        return found
