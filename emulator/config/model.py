"""What a project's configuration says, parsed and checked: frozen records, nothing else.

Everything below this layer trusts these values and never looks at TOML or JSON again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Json = Any  # any JSON value


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration, as it is shown to the person at the terminal.

    `where` is `"wrangler.toml:14"` (or the file alone). `text` says what was found and what was
    expected; `fix` how to mend it.
    """

    where: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" + (f"\n  {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True)
class WorkflowConfig:
    """One `[[workflows]]` entry."""

    binding: str
    name: str
    class_name: str
    script_name: str | None = None
    step_limit: int | None = None
    schedules: tuple[str, ...] = ()
    success_retention_ms: int | None = None
    error_retention_ms: int | None = None
    concurrency: int | None = None  # how many of its instances may run at once
    where: str = ""  # "wrangler.toml:14", for messages about class_name
    index: int = 0  # its place in the list: `workflows[0]`


@dataclass(frozen=True, slots=True)
class D1Config:
    """One `[[d1_databases]]` entry. `local_id` names the file: preview id, id, or the binding.

    `migrations_pattern` is a glob relative to `migrations_dir`.
    """

    binding: str
    local_id: str
    database_name: str
    migrations_dir: Path
    migrations_table: str = "d1_migrations"
    migrations_pattern: str = "*.sql"


@dataclass(frozen=True, slots=True)
class VectorizeConfig:
    """One `[[vectorize]]` entry."""

    binding: str
    index_name: str


@dataclass(frozen=True, slots=True)
class UnsupportedBinding:
    """A binding of a kind that is not emulated yet: using it raises an error that names it.

    `kind` is the configuration key (`"kv_namespaces"`), `friendly` wrangler's name for it.
    """

    binding: str
    kind: str
    friendly: str


@dataclass(frozen=True, slots=True)
class DevConfig:
    """The `dev` table. `port` is None when not set: 8787, or the next free one."""

    ip: str = "localhost"
    port: int | None = None


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """`[vectorize.INDEX]` in groundfog.toml: what wrangler's configuration cannot say."""

    dimensions: int | None = None
    metric: Literal["cosine", "euclidean", "dot-product"] | None = None
    metadata_indexes: dict[str, Literal["string", "number", "boolean"]] = field(
        default_factory=dict
    )
    visibility_lag_ms: int = 0
    filter_unindexed: bool = False


@dataclass(frozen=True, slots=True)
class AiStream:
    """How a streamed answer is cut: events of so many words, or chunks of so many bytes."""

    words: int = 1
    bytes: int | None = None
    delay_ms: int = 0  # before each chunk but the first


@dataclass(frozen=True, slots=True)
class AiRule:
    """`[[ai.rules]]` in groundfog.toml: when to answer a model call with something fixed.

    All given conditions must hold: `model` is a glob, `task` the catalogue's task name, `prompt` a
    regular expression searched in the prompt text, `input` what JSON paths into the inputs hold.
    At most one answer is given: `text`, `json`, `sequence` (one answer per call, the last repeats)
    or `error` ({"code", "message"?, "name"?}); with none, `delay_ms` and `stream` change the usual.
    """

    model: str = "*"
    task: str | None = None
    prompt: str | None = None
    input: dict[str, Json] = field(default_factory=dict)
    text: str | None = None
    json: Json = None
    sequence: tuple[Json, ...] = ()
    error: dict[str, Json] | None = None
    delay_ms: int = 0
    stream: AiStream = AiStream()
    where: str = ""


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """`[clock]` in groundfog.toml. `start_ms` None: a virtual clock starts at the time it is."""

    mode: Literal["real", "virtual"] = "real"
    start_ms: int | None = None
    grace_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class AiUpstream:
    """`[ai.upstreams.NAME]`: Cloudflare, or a server that speaks OpenAI's API.

    `…_env` name variables of the process that hold secrets; `models` maps globs to its names.
    """

    name: str
    base_url: str = "https://api.cloudflare.com/client/v4"
    api_key_env: str | None = "CLOUDFLARE_API_TOKEN"
    account_id_env: str = "CLOUDFLARE_ACCOUNT_ID"
    timeout_ms: int = 60_000
    models: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AiSettings:
    """`[ai]` but for rules: who answers, and what one run of the server may use."""

    mode: Literal["stub", "replay", "record", "remote"] = "stub"
    upstream: AiUpstream | None = None
    cassette: str = "ai-cassette.json"  # relative to groundfog.toml
    max_calls: int | None = None
    max_neurons: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """groundfog.toml: what only Groundfog knows. Every key is optional."""

    durability: Literal["full", "process"] = "full"
    concurrency: int = 50_000  # production's limit of running instances on the paid plan
    queued: int = 2_000_000  # production's limit of queued instances on the paid plan
    creation_rate: int | None = None  # per second and workflow; production's is 100
    clock: ClockSettings = ClockSettings()
    reload_grace_ms: int = 5_000
    hang_timeout_ms: int = 30_000  # production's default CPU limit for a request or step
    on_divergence: Literal["hold", "warn", "fail"] = "hold"  # code that does not fit an instance
    indexes: dict[str, IndexSettings] = field(default_factory=dict)
    ai_rules: tuple[AiRule, ...] = ()
    ai_strict: bool = False
    ai: AiSettings = AiSettings()


@dataclass(frozen=True, slots=True)
class Config:
    """A project, ready to run."""

    path: Path  # the wrangler file
    project_dir: Path
    name: str
    main: Path
    compatibility_date: str
    compatibility_flags: tuple[str, ...] = ()
    environment: str | None = None
    vars: dict[str, Json] = field(default_factory=dict, repr=False)  # secrets included
    secret_names: frozenset[str] = frozenset()  # never show the values of these
    workflows: tuple[WorkflowConfig, ...] = ()
    d1_databases: tuple[D1Config, ...] = ()
    vectorize: tuple[VectorizeConfig, ...] = ()
    ai_binding: str | None = None
    unsupported: tuple[UnsupportedBinding, ...] = ()
    dev: DevConfig = DevConfig()
    settings: Settings = Settings()
    warnings: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()  # every file that was read or looked for: a change reloads

    @property
    def is_python(self) -> bool:
        """Whether the worker's main module is Python."""
        return self.main.suffix == ".py"
