"""The bindings of one worker: each opened at its first call, and shared by generations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from emulator.clock import Clock
from emulator.config.model import Config
from emulator.kinds.kind import Kind, Record
from emulator.kinds.places import Places
from emulator.kinds.registry import kind_named
from emulator.sqlite import Synchronous
from emulator.state import State

if TYPE_CHECKING:
    from bindings.binding import Binding, Call, Encoded
    from bindings.durable_objects.namespace import ObjectCalls
    from bindings.loader.loader import Isolates
    from bindings.service.service import Workers
    from bindings.workflow.workflow import Executor


class Bindings:
    """A worker's open bindings. A binding stays open over reloads as long as it is the same one."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        executor: Executor,
        announce: Callable[[str], None],
        look: Callable[[], None],
        workers: Workers,
        objects: ObjectCalls,
        isolates: Isolates,
    ) -> None:
        """See `Places`."""
        self._state = state
        self._clock = clock
        self._executor = executor
        self._announce = announce
        self._look = look
        self._workers = workers
        self._objects = objects
        self._isolates = isolates
        self._kept: dict[str, Any] = {}
        self._made: dict[Hashable, _Lazy] = {}

    def of(self, config: Config) -> Mapping[str, Binding]:
        """Return the bindings of `config` by name; no file is opened before a binding is used."""
        places = self._places(config)
        kinds = [(bound, kind_named(bound.kind)) for bound in config.bindings]
        return {
            bound.name: self._lazy(kind, bound.record, places)
            for bound, kind in kinds
            if kind is not None and bound.name
        }

    def opened(self, kind: Kind, record: Record, config: Config) -> Binding:
        """Return what `record` describes, open, whether or not it is bound to a name."""
        return self._lazy(kind, record, self._places(config)).opened()

    async def discard(self, kind: Kind, record: Record, config: Config) -> None:
        """Close what `record` describes: its files can be deleted then."""
        key = kind.name, kind.identity(record, self._places(config))
        binding = self._made.pop(key, None)
        if binding is not None:
            await binding.close()

    def removed(self) -> list[str]:
        """Return messages about files that were removed while bindings used them."""
        return [told for binding in self._made.values() if (told := binding.removed())]

    async def close(self) -> None:
        """Close every binding."""
        for binding in self._made.values():
            await binding.close()
        self._made.clear()

    def _lazy(self, kind: Kind, record: Record, places: Places) -> _Lazy:
        key = kind.name, kind.identity(record, places)
        return self._made.setdefault(key, _Lazy(kind.name, partial(_open, kind, record, places)))

    def _places(self, config: Config) -> Places:
        secrets = sorted(config.secret_names & config.vars.keys())
        return Places(
            state=self._state,
            project_dir=config.project_dir,
            clock=self._clock,
            executor=self._executor,
            synchronous=synchronous(config),
            secrets=tuple(str(config.vars[name]) for name in secrets),
            announce=self._announce,
            look=self._look,
            workers=self._workers,
            objects=self._objects,
            isolates=self._isolates,
            kept=self._kept,
        )


def _open(kind: Kind, record: Record, places: Places) -> Binding:
    if kind.files:
        places.check()
    return kind.open(record, places)


def synchronous(config: Config) -> Synchronous:
    """Return how SQLite makes the project's files durable."""
    ways: dict[str, Synchronous] = {"full": "FULL", "process": "NORMAL", "unsynced": "OFF"}
    return ways[config.settings.durability]


@runtime_checkable
class _OnFile(Protocol):
    """A binding with a file that may be removed while it is in use."""

    def removed(self) -> str:
        """Return a message about a file that was removed or replaced; "" if it is in place."""
        ...


class _Lazy:
    """A binding that is imported and opened at its first call: starting waits for none."""

    def __init__(self, kind: str, open_it: Callable[[], Binding]) -> None:
        self.kind = kind
        self._open_it = open_it
        self._opened: Binding | None = None

    def opened(self) -> Binding:
        """Return the binding itself."""
        if self._opened is None:
            self._opened = self._open_it()
        return self._opened

    @property
    def keeps_typed_arrays(self) -> bool:
        """See `Binding`."""
        return getattr(self.opened(), "keeps_typed_arrays", False)

    @property
    def arguments_max_bytes(self) -> dict[str, int]:
        """See `Binding`."""
        return getattr(self.opened(), "arguments_max_bytes", {})

    @property
    def forward(self) -> Callable[[Call], Awaitable[Encoded]] | None:
        """See `Forwarding`; None: it is called by `call`."""
        return getattr(self.opened(), "forward", None)

    def removed(self) -> str:
        """See `_OnFile`."""
        return self._opened.removed() if isinstance(self._opened, _OnFile) else ""

    async def call(self, method: str, args: list[Any]) -> Any:
        return await self.opened().call(method, args)

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()
