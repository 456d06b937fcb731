"""Composition: a `Config` and a state directory -> bindings, engine and runner. No behaviour.

The layers below declare what they need as small protocols; here they are handed to one another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from bindings.binding import Binding
from bindings.workflows import WorkflowBinding
from emulator.clock import Clock, SystemClock, VirtualClock
from emulator.config.model import AiRule, AiUpstream, Config, IndexSettings
from emulator.engine.clock_control import ClockRecord, Timekeeper
from emulator.engine.control import Control
from emulator.engine.decide.admission import Limits
from emulator.engine.decide.endings import Definition
from emulator.engine.decide.retention import Retention
from emulator.engine.decide.steps import STEP_LIMIT
from emulator.engine.engine import Engine
from emulator.engine.journal.journal import Journal
from emulator.engine.model.divergence import Policy
from emulator.engine.schedules import Schedules
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.runner.runner import WorkerSpec
from emulator.sqlite import Removed, Synchronous
from emulator.state import State

if TYPE_CHECKING:  # imported when env.AI is first called
    from bindings.ai import Ai
    from bindings.ai.ai import Source
    from bindings.ai.ledger import Ledger
    from bindings.ai.rules import Rule
    from bindings.ai.sources import Upstream

# Names another cassette than groundfog.toml does: one for each test, say.
CASSETTE_VARIABLE = "GROUNDFOG_AI_CASSETTE"
# The compatibility date from which a NonRetryableError keeps its own message.
# Source: docs/platform/workflows.md, "NonRetryableError".
PLAIN_NON_RETRYABLE_FROM = "2026-05-14"
PLAIN_NON_RETRYABLE_FLAG = "workflows_preserve_non_retryable_error_message"


def open_engine(
    config: Config,
    state: State,
    clock: Clock,
    report: Callable[[str], None],
    *,
    to_read: bool = False,
) -> Engine:
    """Return the engine on the project's journal. Raises StateError.

    to_read: the journal stays as it is; the engine can only be asked.
    """
    path = state.journal
    engine = Engine(
        Journal.open_to_read(path) if to_read else Journal.open(path, _synchronous(config)),
        clock,
        concurrency=config.settings.concurrency,
        grace_ms=config.settings.reload_grace_ms,
        report=report,
        own_clock=SystemClock() if isinstance(clock, VirtualClock) else None,
    )
    engine.policy = Policy(config.settings.on_divergence)
    return engine


def open_clock(config: Config, state: State, real: Clock) -> Clock:
    """Return the clock workflows live by: `real`, or a virtual one where it was left."""
    settings = config.settings.clock
    if settings.mode == "real":
        return real
    kept = state.read_clock()
    if "ahead_ms" in kept:
        clock = VirtualClock(real.now_ms() + kept["ahead_ms"], real)
        clock.run()
        return clock
    start_ms = real.now_ms() if settings.start_ms is None else settings.start_ms
    return VirtualClock(kept.get("now_ms", start_ms), real)


def limits(config: Config) -> Limits:
    """Return how many instances may be queued, and how fast they may be created."""
    return Limits(config.settings.queued, config.settings.creation_rate)


def schedules(config: Config) -> list[tuple[str, str]]:
    """Return the schedules of the project's workflows: (workflow, cron expression) of each."""
    return [(workflow.name, cron) for workflow in config.workflows for cron in workflow.schedules]


def timekeeper(config: Config, state: State, engine: Engine, schedules: Schedules) -> Timekeeper:
    """Return what moves the engine's clock, and keeps it in the state directory."""

    def save(record: ClockRecord) -> None:
        fields = {"now_ms": record.now_ms, "ahead_ms": record.ahead_ms}
        state.write_clock({name: value for name, value in fields.items() if value is not None})

    return Timekeeper(
        engine,
        engine.clock,
        save,
        grace_ms=config.settings.clock.grace_ms,
        other_deadline=schedules.next_ms,
    )


def definitions(config: Config) -> list[Definition]:
    """Return the workflows this project owns."""
    plain = PLAIN_NON_RETRYABLE_FLAG in config.compatibility_flags or (
        config.compatibility_date >= PLAIN_NON_RETRYABLE_FROM
        and f"no_{PLAIN_NON_RETRYABLE_FLAG}" not in config.compatibility_flags
    )
    return [
        Definition(
            workflow.name,
            workflow.class_name,
            workflow.step_limit or STEP_LIMIT,
            plain,
            Retention.configured(workflow.success_retention_ms, workflow.error_retention_ms),
            workflow.concurrency,
        )
        for workflow in config.workflows
    ]


def worker_spec(config: Config) -> WorkerSpec:
    """Return what a guest must know to load the user's code."""
    kinds = {workflow.binding: {"kind": "workflow"} for workflow in config.workflows}
    kinds |= {database.binding: {"kind": "d1"} for database in config.d1_databases}
    kinds |= {index.binding: {"kind": "vectorize"} for index in config.vectorize}
    if config.ai_binding is not None:
        kinds[config.ai_binding] = {"kind": "ai"}
    for other in config.unsupported:
        kinds[other.binding] = {"kind": other.kind, "friendly": other.friendly}
    return WorkerSpec(
        project_dir=config.project_dir,
        main=config.main,
        compatibility_date=config.compatibility_date,
        compatibility_flags=config.compatibility_flags,
        bindings=kinds,
        vars=config.vars,
    )


@runtime_checkable
class _OnFile(Protocol):
    """A binding with a file that may be removed under it."""

    def removed(self) -> str:
        """Return what to tell of a file that was removed or replaced; "" where it is in place."""
        ...


class _FirstUse:
    """A binding that is imported and made when it is first called: starting waits for none."""

    def __init__(self, kind: str, make: Callable[[], Binding]) -> None:
        self.kind = kind
        self._make = make
        self._made: Binding | None = None

    def removed(self) -> str:
        """See `_OnFile`."""
        return self._made.removed() if isinstance(self._made, _OnFile) else ""

    def made(self) -> Binding:
        """Return the binding itself."""
        if self._made is None:
            self._made = self._make()
        return self._made

    async def call(self, method: str, args: list[Any]) -> Any:
        return await self.made().call(method, args)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()


@dataclass
class BindingPool:
    """The bindings of a project, shared by generations as long as their settings stay."""

    state: State
    control: Control
    announce: Callable[[str], None]
    check: Callable[[], None] = lambda: None  # raises Removed when the state itself is gone
    _open: dict[tuple[Any, ...], _FirstUse] = field(default_factory=dict)
    _ledger: Ledger | None = None

    def bindings(self, config: Config) -> Mapping[str, Binding]:
        """Return the bindings of `config` by name; none of them touches a file before its use."""
        named: dict[str, Binding] = {}
        for workflow in config.workflows:
            named[workflow.binding] = WorkflowBinding(workflow.name, self.control, values.encode)
        for database in config.d1_databases:
            path = self.state.d1_path(database.local_id)
            synchronous = _synchronous(config)
            make = partial(self._checked, _d1, path, database.database_name, synchronous)
            named[database.binding] = self._shared("d1", (path, synchronous), make)
        for index in config.vectorize:
            settings = config.settings.indexes.get(index.index_name, IndexSettings())
            path = self.state.vectorize_path(index.index_name)
            make = partial(
                self._checked, _vectorize, path, index.index_name, settings, self.announce
            )
            named[index.binding] = self._shared("vectorize", (path, repr(settings)), make)
        if config.ai_binding is not None:
            named[config.ai_binding] = self._shared_ai(config)
        return named

    def _checked(self, make: Callable[..., Binding], *arguments: Any) -> Binding:
        """Make a binding with a file, unless it would begin an empty one where state was."""
        try:
            self.check()
        except Removed as error:
            raise WorkerError(str(error)) from None
        return make(*arguments)

    def removed(self) -> list[str]:
        """Return what to tell of files that were removed under bindings in use."""
        return [told for binding in self._open.values() if (told := binding.removed())]

    def _shared(
        self, kind: str, settings: tuple[Any, ...], make: Callable[[], Binding]
    ) -> _FirstUse:
        return self._open.setdefault((kind, *settings), _FirstUse(kind, make))

    def ai(self, config: Config) -> Ai:
        """Return the project's Workers AI, which the REST API speaks for too."""
        return cast("Ai", self._shared_ai(config).made())

    def _shared_ai(self, config: Config) -> _FirstUse:
        chosen = config.settings
        key = (repr(chosen.ai_rules), chosen.ai_strict, repr(chosen.ai), _secrets(config))
        return self._shared("ai", key, partial(self._ai, config))

    def _ai(self, config: Config) -> Binding:
        from bindings.ai.ledger import Ledger

        if self._ledger is None:  # one for the whole run: a reload must not renew the budget
            self._ledger = Ledger(self.state.ai_ledger)
        return _ai(config, self._ledger)

    async def close(self) -> None:
        """Close every binding."""
        for binding in self._open.values():
            await binding.close()
        self._open.clear()


def _d1(path: Path, name: str, synchronous: Synchronous) -> Binding:
    from bindings.d1 import D1

    return D1(path, name, synchronous=synchronous)


def _vectorize(
    path: Path, name: str, settings: IndexSettings, announce: Callable[[str], None]
) -> Binding:
    from bindings.vectorize import IndexConfig, Vectorize

    config = IndexConfig(
        settings.dimensions,
        settings.metric,
        settings.metadata_indexes,
        settings.visibility_lag_ms,
        settings.filter_unindexed,
    )
    return Vectorize(path, name, config, announce=announce)


def _ai(config: Config, ledger: Ledger) -> Binding:
    from bindings.ai import Ai
    from bindings.ai.ai import Settings
    from bindings.ai.ledger import Budget
    from bindings.ai.scrubbing import Scrubber

    chosen = config.settings.ai
    return Ai(
        _ai_rules(config.settings.ai_rules),
        Settings(
            strict=config.settings.ai_strict,
            source=_ai_source(config),
            budget=Budget(chosen.max_calls, chosen.max_neurons),
            scrubber=Scrubber(_secrets(config)),
        ),
        ledger=ledger,
    )


def _ai_rules(rules: tuple[AiRule, ...]) -> list[Rule]:
    from bindings.ai.rules import Rule

    return [
        Rule(
            model=rule.model,
            task=rule.task,
            prompt=rule.prompt,
            input=rule.input,
            text=rule.text,
            json=rule.json,
            sequence=rule.sequence,
            error=rule.error,
            delay_ms=rule.delay_ms,
            stream_words=rule.stream.words,
            stream_bytes=rule.stream.bytes,
            stream_delay_ms=rule.stream.delay_ms,
            where=rule.where,
        )
        for rule in rules
    ]


def _ai_source(config: Config) -> Source | None:
    """Return who answers in place of the stub: None, a cassette, an upstream or both."""
    chosen = config.settings.ai
    if chosen.mode == "stub":
        return None
    from bindings.ai.cassettes import Cassette
    from bindings.ai.scrubbing import Scrubber
    from bindings.ai.sources import Record, Replay

    upstream = None if chosen.upstream is None else _ai_upstream(chosen.upstream)
    if chosen.mode == "remote":
        return upstream
    named = os.environ.get(CASSETTE_VARIABLE) or chosen.cassette
    cassette = Cassette(config.project_dir / named, Scrubber(_secrets(config)))
    if chosen.mode == "replay" or upstream is None:
        return Replay(cassette)
    return Record(upstream, cassette)


def _ai_upstream(upstream: AiUpstream) -> Upstream:
    from bindings.ai.upstream_http import UpstreamSettings
    from bindings.ai.upstreams import Cloudflare, OpenAi

    settings = UpstreamSettings(
        name=upstream.name,
        base_url=upstream.base_url,
        api_key=os.environ.get(upstream.api_key_env or ""),
        account_id=os.environ.get(upstream.account_id_env),
        timeout_ms=upstream.timeout_ms,
        models=upstream.models,
    )
    return Cloudflare(settings) if upstream.name == "cloudflare" else OpenAi(settings)


def _secrets(config: Config) -> tuple[str, ...]:
    """Return what neither cassette nor ledger may hold: the worker's secrets, the upstream's."""
    values = [str(config.vars[name]) for name in sorted(config.secret_names) if name in config.vars]
    upstream = config.settings.ai.upstream
    if upstream is not None:
        names = (upstream.api_key_env or "", upstream.account_id_env)
        values += [os.environ.get(name, "") for name in names]
    return tuple(values)


def _synchronous(config: Config) -> Synchronous:
    return "FULL" if config.settings.durability == "full" else "NORMAL"
