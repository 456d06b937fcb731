"""A kind of binding, as the rest of Groundfog sees it.

A kind reads its bindings from the configuration, opens each at its first call, and says how it is
shown. What is needed to open is imported only when a binding is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from emulator.config.binding_names import BindingNames
from emulator.config.environments import Selected
from emulator.config.model import Bound, Config
from emulator.config.table import Table
from emulator.config.worker_section import has_only_assets
from emulator.json_types import Json

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

Record = Any  # what one kind reads of one binding: a frozen dataclass of that kind


class Section(Struct, frozen=True):
    """Where the bindings of one kind are in the wrangler configuration.

    settings: what `Kind.read_settings` has returned. process_env: the variables of the process.
    """

    kind: Kind
    selected: Selected
    names: BindingNames
    config_dir: Path
    worker_name: str
    settings: Any
    process_env: Mapping[str, str] = {}

    @property
    def owner(self) -> Table:
        """The table that holds the section."""
        return self.selected.owner(self.kind.section)

    def items(self, example: str) -> Iterator[Table]:
        """Yield the bindings of a section that is a list. `example` shows what one contains."""
        kind, owner = self.kind, self.owner
        key, _, inner = kind.section_key.partition(".")
        example = f"Write [[{self.selected.prefix()}{kind.section_key}]] {example}"
        if inner:
            outer = owner.table(key, example)
            if outer is None:
                return
            owner, key = outer, inner
        for item in owner.tables(key, example):
            self._checked(item)
            yield item

    def item(self, example: str) -> Table | None:
        """Return the section, when it is one object. `example` shows what it contains."""
        header = f"[{self.selected.prefix()}{self.kind.section}]"
        example = f"Write {header} {example}: a single object, not a list."
        found = self.owner.table(self.kind.section, example)
        if found is not None:
            self._checked(found)
        return found

    def name(self, item: Table, example: str, *, required: bool = True) -> str | None:
        """Return the name on `env` that a binding asks for; None when it is missing or wrong."""
        name = item.string(self.kind.name_key, required=required, example=example)
        self.names.add(name, self.kind.friendly, item.where(self.kind.name_key))
        return name

    def flag(self, enable: str, disable: str, from_date: str) -> bool:
        """Whether a compatibility flag is on: as given, or else by the compatibility date."""
        flags = self.selected.owner("compatibility_flags").data.get("compatibility_flags")
        given = flags if isinstance(flags, list) else []
        if enable in given or disable in given:
            return enable in given
        date = self.selected.owner("compatibility_date").data.get("compatibility_date")
        return date is None or str(date) >= from_date

    def has_only_assets(self) -> bool:
        """Whether the project has assets and names no code."""
        return has_only_assets(self.selected)

    def _checked(self, item: Table) -> None:
        """Report unknown keys, and `remote = true`: nothing is sent to Cloudflare."""
        item.unknown_keys(self.kind.keys)
        if "remote" in self.kind.keys and item.boolean("remote"):
            item.warn(
                "remote",
                f"{item.name('remote')} is true, but this {self.kind.friendly} is emulated on "
                "this machine; nothing is sent to Cloudflare",
            )


def _no_settings(table: Table, process_env: Mapping[str, str]) -> Any:
    return None


def _no_review(config: Config, settings: Table) -> None:
    return None


def _by_record(record: Record, places: Places) -> Hashable:
    return repr(record)


class Kind(Struct, frozen=True):
    """One kind of binding.

    name: also the name of its client's module in a guest, and the `kind` of its `Bound`s.
    section: the key of the wrangler configuration that has its bindings.
    inner: the list of them in that section, if the section is not the list: `"producers"`.
    name_key: the key of a binding that holds its name on `env`.
    friendly: wrangler's name for one. keys: those a binding of it may have in the configuration.
    read: returns the bindings of a section; what is wrong is reported to its tables. One whose name
    is "" is configured, but not on `env`.
    open: makes the binding that a record describes. Called at the binding's first call; never where
    the state directory was removed, if the kind keeps `files` there.
    shown: what `groundfog dev` says of a record at its start.
    identity: equal for records that are one thing, which is opened once and outlives reloads.
    settings: its section of groundfog.toml; `header`: how messages write that section, if not so.
    `read_settings` reads it, empty if it is missing, and gets the variables of the process.
    setting_keys: what may stand there, as documented: `"vectorize.INDEX.metric"`.
    review: warns about what only the whole configuration shows; gets that section too.
    files: what it keeps in the state directory, each a file or a folder.
    commands, routes: its command group, and a function from a Worker to its control routes, each as
    "module:attribute".
    command: the name of its command group, if that is not the kind's.
    value: what it is on `env`, from its record, if that is a JSON value and nothing to call.
    told: what a guest is told of it besides its kind.
    trigger: of a kind that calls the worker by itself: what makes the trigger from an `Around`
    (`emulator/triggers/trigger.py`), as "module:attribute".
    is_front: whether its binding answers requests before the worker does, where it can; its
    `front(method, url, headers)` returns a StreamedAnswer, or None.
    workerd: a binding's value in workerd's configuration, from its record and the service that its
    client module asks. None, itself or returned: it does not exist there. http: what answers that
    module, as "module:attribute"; http_streams: bodies come to it piece by piece. tcp: the address
    that its service leads to in place of that. See `Member`.
    typed: its class in `typings/stubs/worker_types.pyi`.
    line: sorts the table that `groundfog dev` shows; equal ones keep the order of the list.
    """

    name: str
    section: str
    friendly: str
    keys: frozenset[str]
    read: Callable[[Section], Sequence[Bound[Any]]]
    open: Callable[[Record, Places], Binding]
    shown: Callable[[Record], str]
    identity: Callable[[Record, Places], Hashable] = _by_record
    inner: str = ""
    name_key: str = "binding"
    settings: str = ""
    setting_keys: tuple[str, ...] = ()
    header: str = ""
    read_settings: Callable[[Table, Mapping[str, str]], Any] = _no_settings
    review: Callable[[Config, Table], None] = _no_review
    files: tuple[str, ...] = ()
    commands: str = ""
    command: str = ""
    value: Callable[[Record], Json] | None = None
    routes: str = ""
    told: Callable[[Record], dict[str, Json]] | None = None
    trigger: str = ""
    is_front: bool = False
    workerd: Callable[[Record, str], dict[str, Value] | None] | None = None
    http: str = ""
    http_streams: bool = False
    tcp: Callable[[Record], str] | None = None
    typed: str = "JsProxy"
    line: int = 3

    @property
    def section_key(self) -> str:
        """What messages call the list of its bindings: `queues.producers`."""
        return f"{self.section}.{self.inner}" if self.inner else self.section
