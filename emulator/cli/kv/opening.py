"""For all commands on namespaces: which one is meant, and how it is opened and asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import click
from msgspec import Struct

from bindings.kv.kv import Kv
from bindings.kv.rules import Refused
from emulator.cli.local_options import local_options
from emulator.cli.options import ProjectOptions, load_project
from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.kinds.kv import Namespace
from emulator.state import State
from emulator.worker import open_clock

T = TypeVar("T")


class Chosen(Struct, frozen=True):
    """One namespace of the project. `name`: its binding."""

    project: Config
    state: State
    name: str
    namespace: Namespace

    def ask(self, work: Callable[[Kv], Awaitable[T]]) -> T:
        """Return what `work` does with the namespace, opened. Raises EmulatorError."""
        self.state.prepare()
        return asyncio.run(self._asked(work))

    async def _asked(self, work: Callable[[Kv], Awaitable[T]]) -> T:
        clock = open_clock(self.project, self.state, SystemClock())
        kv = Kv(self.namespace.path(self.state), clock.now_ms)
        try:
            return await work(kv)
        except (Refused, WorkerError) as error:
            raise EmulatorError(f"{self.name}: {error}") from None
        finally:
            await kv.close()


def namespace_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` wrangler's options for which namespace it works on, as `choose`."""

    @local_options("namespaces")
    @click.option("--binding", help="The namespace with this binding.")
    @click.option("--namespace-id", help="The namespace with this id.")
    def with_choice(
        *args: Any,
        options: ProjectOptions,
        binding: str | None,
        namespace_id: str | None,
        **rest: Any,
    ) -> Any:
        choose = partial(_choose, options, binding, namespace_id)
        return command(*args, choose=choose, **rest)

    with_choice.__doc__ = command.__doc__
    with_choice.__click_params__ = [  # type: ignore[attr-defined]
        *getattr(command, "__click_params__", []),
        *getattr(with_choice, "__click_params__", []),
    ]
    return with_choice


def namespaces(options: ProjectOptions) -> list[Chosen]:
    """Return every namespace of the project, in the order of the configuration."""
    project = load_project(options)
    state = State.locate(project, options.persist_to)
    return [Chosen(project, state, each.name, each.record) for each in project.bound(Namespace)]


def _choose(options: ProjectOptions, binding: str | None, namespace_id: str | None) -> Chosen:
    """Return the namespace that is meant; the only one needs no option. Raises UsageError."""
    found = namespaces(options)
    for each in found:
        if binding == each.name or namespace_id == each.namespace.id:
            return each
    known = ", ".join(f"{each.name} ({each.namespace.id})" for each in found)
    if binding is None and namespace_id is None:
        if len(found) == 1:
            return found[0]
        raise UsageError(
            "Which namespace? Name it with --binding NAME or --namespace-id ID.\n"
            f"  There are: {known or 'no kv_namespaces'}."
        )
    wanted = f"the binding {binding}" if binding is not None else f"the id {namespace_id}"
    raise UsageError(
        f"The configuration has no KV namespace with {wanted}.\n"
        f"  There are: {known or 'no kv_namespaces'}."
    )
