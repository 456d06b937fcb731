"""A worker put together: a `Config` and a state directory -> bindings, engine, clock.

The layers below declare what they need as small protocols; here each gets it. The supervisor
decides *when* code is loaded and switched. A command without a server uses only the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from bindings.binding import Binding
from emulator.bundling.rules import covered
from emulator.clock import Clock, SystemClock, VirtualClock
from emulator.config.model import Bound, Config, Unsupported
from emulator.engine.clock_control import SavedClock, Timekeeper, Work
from emulator.engine.control import Control
from emulator.engine.creation_limits import Limits
from emulator.engine.engine import Engine
from emulator.engine.journal.journal import Journal
from emulator.engine.model.definition import Definition
from emulator.engine.model.divergence import Policy
from emulator.engine.schedules import Schedules
from emulator.isolates import Isolates
from emulator.json_types import Json
from emulator.kinds.kind import Kind, Record
from emulator.kinds.open_bindings import Bindings, synchronous
from emulator.kinds.registry import KINDS, kind_named
from emulator.kinds.workflow import Workflow
from emulator.objects.objects import Objects
from emulator.peers import Peers
from emulator.runner.requests import FetchReply, FetchRequest, GuestLost
from emulator.runner.runner import WorkerSpec
from emulator.state import State
from emulator.tails import Tails, consumers
from emulator.triggers.email_actions import EmailActions
from emulator.triggers.trigger import Around, Call
from emulator.triggers.triggers import Triggers

if TYPE_CHECKING:
    from emulator.runner.workerd.member import DurableClass, Member

# The compatibility date from which a NonRetryableError keeps its own message.
# Source: docs/platform/workflows.md, "NonRetryableError".
PLAIN_NON_RETRYABLE_FROM = "2026-05-14"
PLAIN_NON_RETRYABLE_FLAG = "workflows_preserve_non_retryable_error_message"


class Worker:
    """The parts of one project, and its configuration as it is now.

    clock: what workflows live by; see `open_clock`. warn, announce, error: what the person at the
    terminal is told. to_read: the journal stays as it is, and the engine can only be asked.
    follows_crons: see `Seams` in `session.py`. peers: the workers that it can
    call. call: calls a handler of the worker's code; the supervisor sets it.
    Raises StateError.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        clock: Clock,
        *,
        warn: Callable[[str], None] = lambda text: None,
        announce: Callable[[str], None] = lambda text: None,
        error: Callable[[str], None] = lambda text: None,
        to_read: bool = False,
        follows_crons: bool = True,
        peers: Peers | None = None,
    ) -> None:
        self.config = config
        self.peers = peers or Peers()
        self._follows_crons = follows_crons
        self.state = state
        self.engine = _open_engine(config, state, clock, warn, to_read=to_read)
        self.control = Control(self.engine)
        self.schedules = Schedules(clock, self.control.fire)
        self.call: Call = _not_running
        self.objects = Objects(
            lambda of, id: state.object(of.unique_key, id),
            lambda: synchronous(self.config),
            clock,
            error,
        )
        self.triggers = Triggers(
            Around(clock, self._call, self.opened, announce, error, follows_crons)
        )
        self.tails = Tails(lambda: self.config, self.peers, error)
        self.emails = EmailActions(self.triggers)
        self.timekeeper = _timekeeper(
            config, state, self.engine, self._other_deadline, self.triggers.in_flight
        )
        self.isolates = Isolates()
        self.bindings = Bindings(
            *(state, clock, self.control, announce),
            self.engine.journal.file.check,
            self.peers,
            self.objects,
            self.isolates,
        )
        self._fronts = fronts(config)
        self.started_ms = clock.now_ms()
        self.control.admission.limits = limits(config)
        self.engine.divergences.policy = Policy(config.settings.on_divergence)

    def configure(self, config: Config) -> None:
        """Use a configuration from now on; its workflows count after the next `define`."""
        settings = config.settings
        self.config = config
        self._fronts = fronts(config)
        self.control.admission.limits = limits(config)
        self.engine.divergences.policy = Policy(settings.on_divergence)
        self.engine.tune(concurrency=settings.concurrency, grace_ms=settings.reload_grace_ms)

    def define(self) -> None:
        """Tell the engine which workflows there are, and when they start by themselves."""
        self.engine.define(definitions(self.config))
        self.schedules.set(schedules(self.config) if self._follows_crons else [])

    @property
    def has_front(self) -> bool:
        """Whether something answers requests before the worker's code does."""
        return bool(self._fronts)

    async def front(self, request: FetchRequest) -> FetchReply | None:
        """Answer a request without the worker's code; None: only that code can answer."""
        for kind, record in self._fronts:
            binding: Any = self.opened(kind, record)
            answer = await binding.front(request.method, request.url, request.headers)
            if answer is not None:
                closing = getattr(answer.body, "aclose", _nothing)
                return FetchReply(answer.status, "", answer.headers, answer.body, closing)
        return None

    async def _call(self, handler: str, args: list[Any]) -> Any:
        return await self.call(handler, args)

    def _other_deadline(self) -> int | None:
        """Return when something besides the engine is due next."""
        due = (self.schedules.next_ms(), self.triggers.next_ms())
        return min((each for each in due if each is not None), default=None)

    def opened(self, kind: Kind, record: Record) -> Binding:
        """Return the open binding of a record, with or without a name on `env`."""
        return self.bindings.opened(kind, record, self.config)

    def stop(self) -> None:
        """Let nothing begin any more; work in progress continues at the next start."""
        self.schedules.stop()
        self.engine.stop()

    async def close(self) -> None:
        """Close bindings and journal, once everything has stopped."""
        await self.tails.close()
        await self.isolates.close()
        await self.objects.close()
        await self.bindings.close()
        self.engine.journal.close()


def fronts(config: Config) -> list[tuple[Kind, Record]]:
    """Return the bindings that answer requests before the worker's code does."""
    kinds = [kind for kind in KINDS if kind.is_front]
    return [(kind, each.record) for kind in kinds for each in config.bindings_of(kind.name)]


async def _nothing() -> None:
    return None


async def _not_running(handler: str, args: list[Any]) -> Any:
    raise GuestLost("no generation of the worker is running")


def open_clock(config: Config, state: State, real: Clock) -> Clock:
    """Return the clock of the workflows: `real`, or a virtual one that goes on where it stopped."""
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
    workflows = [bound.record for bound in config.bound(Workflow)]
    return [(workflow.name, cron) for workflow in workflows for cron in workflow.schedules]


def definitions(config: Config) -> list[Definition]:
    """Return the workflows this project owns."""
    plain = PLAIN_NON_RETRYABLE_FLAG in config.compatibility_flags or (
        config.compatibility_date >= PLAIN_NON_RETRYABLE_FROM
        and f"no_{PLAIN_NON_RETRYABLE_FLAG}" not in config.compatibility_flags
    )
    return [
        replace(bound.record.definition, plain_non_retryable=plain, language=config.language)
        for bound in config.bound(Workflow)
    ]


def worker_spec(config: Config) -> WorkerSpec:
    """Return what a guest must know to load the user's code."""
    values = _values(config)
    bindings: dict[str, dict[str, Any]] = {
        bound.name: {"kind": bound.kind, **_told(bound)}
        for bound in config.bindings
        if bound.name and bound.name not in values
    }
    for other in config.bound(Unsupported):
        record = other.record
        told = {"friendly": record.friendly, "instead": record.instead, "lacks": record.lacks}
        bindings[other.name] |= told
    members = () if config.is_python else _members(config)
    if not config.is_python:
        for name in bindings.keys() - {member.name for member in members}:
            bindings[name].setdefault("friendly", _friendly(bindings[name]["kind"]))
    return WorkerSpec(
        members=members,
        has_front=bool(fronts(config)),
        durable=_durable(config),
        project_dir=config.project_dir,
        main=config.main,
        compatibility_date=config.compatibility_date,
        compatibility_flags=config.compatibility_flags,
        bindings=bindings,
        traced=bool(consumers(config)),
        elsewhere=config.elsewhere,
        vars={**config.vars, **values},
        deployed_files=tuple(covered(config.bundling.rules)) if config.is_python else (),
    )


def _told(bound: Bound[Any]) -> dict[str, Json]:
    kind = kind_named(bound.kind)
    return {} if kind is None or kind.told is None else kind.told(bound.record)


def _friendly(kind: str) -> str:
    found = kind_named(kind)
    return kind if found is None else found.friendly


def _values(config: Config) -> dict[str, Json]:
    """Return the bindings that are JSON values on `env`."""
    kinds = [(bound, kind_named(bound.kind)) for bound in config.bindings if bound.name]
    return {
        bound.name: kind.value(bound.record)
        for bound, kind in kinds
        if kind is not None and kind.value is not None
    }


def _durable(config: Config) -> tuple[DurableClass, ...]:
    from bindings.durable_objects.namespace import ObjectClass

    records = {bound.record for bound in config.bound(ObjectClass)}
    if config.is_python or not records:
        return ()
    from emulator.runner.workerd.member import DurableClass

    found = sorted((each.name, each.unique_key, each.has_sql) for each in records)
    return tuple(DurableClass(*each) for each in found)


def _members(config: Config) -> tuple[Member, ...]:
    from emulator.runner.workerd.member import Member, service_of

    found = []
    for bound in config.bindings:
        kind = kind_named(bound.kind)
        if bound.name and kind is not None and kind.workerd is not None:
            service = service_of(bound.name)
            value = kind.workerd(bound.record, service)
            if value is not None:
                answer = kind.http if service in str(value) else ""
                tcp = "" if kind.tcp is None else kind.tcp(bound.record)
                found.append(Member(bound.name, value, answer, kind.http_streams, tcp))
    return tuple(found)


def _open_engine(
    config: Config, state: State, clock: Clock, report: Callable[[str], None], *, to_read: bool
) -> Engine:
    path = state.journal
    return Engine(
        Journal.open_to_read(path) if to_read else Journal.open(path, synchronous(config)),
        clock,
        concurrency=config.settings.concurrency,
        grace_ms=config.settings.reload_grace_ms,
        report=report,
        own_clock=SystemClock() if isinstance(clock, VirtualClock) else None,
    )


def _timekeeper(
    config: Config,
    state: State,
    engine: Engine,
    other_deadline: Callable[[], int | None],
    other_work: Callable[[], set[Work]],
) -> Timekeeper:
    """Return the object that moves the engine's clock and saves it in the state directory."""

    def save(record: SavedClock) -> None:
        fields = {"now_ms": record.now_ms, "ahead_ms": record.ahead_ms}
        known = {name: value for name, value in fields.items() if value is not None}
        # As durable as the journal: a clock never begins before the journal's last entry.
        state.write_clock(known, synced=config.settings.durability == "full")

    return Timekeeper(
        engine,
        engine.clock,
        save,
        grace_ms=config.settings.clock.grace_ms,
        other_deadline=other_deadline,
        other_work=other_work,
    )
