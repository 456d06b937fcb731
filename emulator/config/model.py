"""What a project's configuration says, parsed and checked: frozen records, nothing else.

Everything below this layer trusts these values and never looks at TOML or JSON again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct, field

from emulator.json_types import Json
from emulator.words import Language

R = TypeVar("R")


class Problem(Struct, frozen=True):
    """One thing wrong with the configuration, as it is shown to the person at the terminal.

    `where` is `"wrangler.toml:14"` (or the file alone). `text` says what was found and what was
    expected; `fix` says how to correct it.
    """

    where: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" + (f"\n  {self.fix}" if self.fix else "")


class Bound(Struct, Generic[R], frozen=True):
    """A binding: its name on `env`, what kind it is, and what that kind has read of it.

    name: "" for what is configured and not on `env`.
    kind: a kind's name (`"d1"`), or the configuration key of one that is not emulated.
    """

    name: str
    kind: str
    record: R


class Unsupported(Struct, frozen=True):
    """The record of a kind that is not emulated: using such a binding raises an error.

    friendly: wrangler's name for the kind. instead: what to do without it. lacks: why it cannot be
    used, "Groundfog does not emulate yet" if it is empty.
    """

    friendly: str
    instead: str = ""
    lacks: str = ""


class DevConfig(Struct, frozen=True):
    """The `dev` table. `port` is None when not set: 8787, or the next free one.

    host: which the worker sees in its requests; empty: the one that was asked.
    """

    ip: str = "localhost"
    port: int | None = None
    local_protocol: Literal["http", "https"] = "http"
    host: str = ""


class ClockSettings(Struct, frozen=True):
    """`[clock]` in groundfog.toml. `start_ms` None: a virtual clock starts at the time it is."""

    mode: Literal["real", "virtual"] = "real"
    start_ms: int | None = None
    grace_ms: int = 10_000


class FaultRule(Struct, frozen=True):
    """One `[[faults]]` of groundfog.toml: what goes wrong with calls of a binding.

    how: "fail", "drop", "delay" or "redeliver". nth: of the calls, from 1; 0: each. method "": any.
    times: how often at most; None: always.
    """

    binding: str
    how: Literal["fail", "drop", "delay", "redeliver"]
    nth: int = 0
    method: str = ""
    times: int | None = None
    error: str = "Network connection lost."
    delay_ms: int = 0


class Settings(Struct, frozen=True):
    """groundfog.toml: what only Groundfog knows. Every key is optional."""

    # "unsynced" is for tests: killed processes lose nothing, a machine without power may
    durability: Literal["full", "process", "unsynced"] = "full"
    concurrency: int = 50_000  # production's limit of running instances on the paid plan
    queued: int = 2_000_000  # production's limit of queued instances on the paid plan
    creation_rate: int | None = None  # per second and workflow; production's is 100
    clock: ClockSettings = ClockSettings()
    reload_grace_ms: int = 5_000
    hang_timeout_ms: int = 30_000  # production's default CPU limit for a request or step
    on_divergence: Literal["hold", "warn", "fail"] = "hold"  # code that does not fit an instance
    faults: tuple[FaultRule, ...] = ()
    shadow_replay: bool = False  # instances are replayed under another clock, too
    kinds: dict[str, Any] = field(default_factory=dict)  # what each kind of binding has read


class ModuleRule(Struct, frozen=True):
    """One of `rules`: which files become modules of their own. `fallthrough` None: not given."""

    type: Literal[
        "ESModule",
        "CommonJS",
        "CompiledWasm",
        "Text",
        "Data",
        "PythonModule",
        "PythonRequirement",
    ]
    globs: tuple[str, ...]
    fallthrough: bool | None = None


class CustomBuild(Struct, frozen=True):
    """`build`: a command that makes `main`. It runs again when a file in `watched` changes."""

    command: str
    cwd: Path
    watched: tuple[Path, ...]


class Bundling(Struct, frozen=True):
    """How TypeScript and JavaScript become what workerd runs. Paths are absolute.

    find_additional_modules: None if the configuration does not say. base_dir: the folder of
    additional modules; None: that of `main`. Values of `define` are expressions of JavaScript.
    """

    no_bundle: bool = False
    find_additional_modules: bool | None = None
    base_dir: Path | None = None
    preserve_file_names: bool = False
    minify: bool = False
    keep_names: bool = True
    tsconfig: Path | None = None
    jsx_factory: str = "React.createElement"
    jsx_fragment: str = "React.Fragment"
    alias: Mapping[str, str] = field(default_factory=dict)
    define: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[ModuleRule, ...] = ()
    build: CustomBuild | None = None

    @property
    def has_additional_modules(self) -> bool:
        """Whether files are modules although nothing imports them."""
        found = self.find_additional_modules
        return self.no_bundle if found is None else found


class Config(Struct, frozen=True):
    """A project, ready to run."""

    path: Path  # the wrangler file
    project_dir: Path
    name: str
    main: Path
    compatibility_date: str
    compatibility_flags: tuple[str, ...] = ()
    environment: str | None = None
    environments: tuple[str, ...] = ()  # all that the file has
    vars: dict[str, Json] = field(default_factory=dict)  # secrets included
    secret_names: frozenset[str] = frozenset()  # never show the values of these
    bindings: tuple[Bound[Any], ...] = ()
    elsewhere: dict[str, str] = field(default_factory=dict)  # see `names_elsewhere`
    dev: DevConfig = DevConfig()
    bundling: Bundling = Bundling()
    settings: Settings = Settings()
    warnings: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()  # every file that was read or looked for: a change reloads

    def __repr__(self) -> str:
        return f"Config({self.path!s})"  # no secrets

    @property
    def language(self) -> Language:
        """The language of the worker's main module."""
        return Language.PYTHON if self.main.suffix == ".py" else Language.TYPESCRIPT

    @property
    def is_python(self) -> bool:
        """Whether the worker's main module is Python."""
        return self.language is Language.PYTHON

    def bindings_of(self, kind: str) -> tuple[Bound[Any], ...]:
        """Return the bindings of a kind."""
        return tuple(each for each in self.bindings if each.kind == kind)

    def bound(self, record: type[R]) -> tuple[Bound[R], ...]:
        """Return the bindings whose records are of this class, in their order in the file."""
        return tuple(each for each in self.bindings if isinstance(each.record, record))
