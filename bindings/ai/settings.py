"""What groundfog.toml may say of env.AI. Imports nothing, so that reading it is quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """`[[ai.rules]]`: when to answer with something fixed. All given conditions must hold.

    `model` is a glob, `task` the catalogue's task name, `prompt` a regular expression searched in
    the prompt, `input` what JSON paths into the inputs must hold: a value, or a table with one of
    `matches` (a regular expression) and `exists`. One of `text`, `json`, `sequence` (an answer per
    call, the last repeats; `{"error": …}` fails) or `error` (`{"code", "message"?, "name"?}`) is
    given; with none, the stub answers after `delay_ms`. A streamed answer is cut into events of
    `stream_words` words, or chunks of `stream_bytes` bytes, with `stream_delay_ms` between them.
    `where` is `"groundfog.toml:12"`.
    """

    model: str = "*"
    task: str | None = None
    prompt: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    json: Any = None
    sequence: tuple[Any, ...] = ()
    error: Mapping[str, Any] | None = None
    delay_ms: int = 0
    stream_words: int = 1
    stream_bytes: int | None = None
    stream_delay_ms: int = 0
    where: str = ""


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """`[ai.upstreams.NAME]`: Cloudflare, or a server that speaks OpenAI's API.

    `models` maps globs of Cloudflare's names to the upstream's own.
    """

    name: str
    base_url: str = "https://api.cloudflare.com/client/v4"
    api_key: str | None = field(default=None, repr=False)
    account_id: str | None = field(default=None, repr=False)
    timeout_ms: int = 60_000
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run of the server may use; None is without limit."""

    max_calls: int | None = None
    max_neurons: float | None = None


@dataclass(frozen=True, slots=True)
class AiSettings:
    """`[ai]`: who answers, and what one run of the server may use."""

    mode: Literal["stub", "replay", "record", "extend", "remote"] = "stub"
    upstream: UpstreamSettings | None = None
    cassette: str = "ai-cassette.json"  # relative to groundfog.toml
    budget: Budget = Budget()
    strict: bool = False  # only rules answer
    rules: tuple[Rule, ...] = ()
