"""`[ai]` of groundfog.toml: who answers calls of env.AI, and how many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import urlsplit

from bindings.ai.settings import AiSettings, Budget, UpstreamSettings
from emulator.config.durations_key import read_duration_ms
from emulator.config.problems import nearest, quoted
from emulator.config.table import Table
from emulator.kinds.ai_rules import read_rules

AI_KEYS = (
    "mode",
    "strict",
    "upstream",
    "upstreams",
    "cassette",
    "max_calls",
    "max_neurons",
    "rules",
)
UPSTREAM_KEYS = ("base_url", "api_key_env", "account_id_env", "timeout", "models")
MODES = ("stub", "replay", "record", "remote")
CLOUDFLARE = "cloudflare"
CLOUDFLARE_KEY_ENV = "CLOUDFLARE_API_TOKEN"
CLOUDFLARE_ACCOUNT_ENV = "CLOUDFLARE_ACCOUNT_ID"
LIMIT_MAX = 1_000_000_000
_UPSTREAM_EXAMPLE = 'Write [ai.upstreams.ollama] with base_url = "http://localhost:11434/v1".'


def read_ai_settings(ai: Table, process_env: Mapping[str, str]) -> AiSettings:
    """Return who answers, the rules and the limits; every problem is reported."""
    ai.unknown_keys(AI_KEYS, ai.report.error)
    rules = read_rules(ai)
    strict = bool(ai.boolean("strict"))
    mode = cast(Literal["stub", "replay", "record", "remote"], ai.choice("mode", MODES) or "stub")
    upstreams = _read_upstreams(ai, process_env)
    name = ai.string("upstream", required="upstream" in ai.data)
    upstream = _find_upstream(ai, name, upstreams, process_env)
    if mode in ("record", "remote"):
        _check_whom_to_ask(ai, mode, name, upstream)
    cassette = ai.string("cassette", required="cassette" in ai.data)
    defaults = AiSettings()
    return AiSettings(
        mode=mode,
        upstream=upstream,
        cassette=cassette or defaults.cassette,
        budget=Budget(
            ai.integer("max_calls", 1, LIMIT_MAX), ai.integer("max_neurons", 1, LIMIT_MAX)
        ),
        strict=strict,
        rules=rules,
    )


def _check_whom_to_ask(
    ai: Table, mode: str, name: str | None, upstream: UpstreamSettings | None
) -> None:
    if name is None:
        ai.error(
            "mode",
            f'ai.mode is "{mode}", and ai.upstream does not say whom to ask',
            f'Add upstream = "{CLOUDFLARE}", or the name of an [ai.upstreams.NAME] section.',
        )
    elif upstream is not None:
        ai.warn(
            "mode",
            f'ai.mode is "{mode}": calls of env.AI leave this machine for {upstream.base_url}',
            'Set mode = "stub" or mode = "replay" to stay offline.',
        )


def _find_upstream(
    ai: Table,
    name: str | None,
    upstreams: dict[str, UpstreamSettings],
    process_env: Mapping[str, str],
) -> UpstreamSettings | None:
    if name is None:
        return None
    if name == CLOUDFLARE and name not in upstreams:
        return _read_upstream(name, Table({}, ai.path, ai.source, ai.report), process_env)
    if name not in upstreams:
        close = nearest(name, [*upstreams, CLOUDFLARE])
        hint = f'Did you mean "{close}"?' if close else _UPSTREAM_EXAMPLE
        ai.error("upstream", f"ai.upstream is {quoted(name)}; no [ai.upstreams] is called so", hint)
    return upstreams.get(name)


def _read_upstreams(ai: Table, process_env: Mapping[str, str]) -> dict[str, UpstreamSettings]:
    section = ai.table("upstreams", _UPSTREAM_EXAMPLE)
    if section is None:
        return {}
    found: dict[str, UpstreamSettings] = {}
    for name in section.data:
        table = section.table(name, _UPSTREAM_EXAMPLE)
        if table is not None:
            found[name] = _read_upstream(name, table, process_env)
    return found


def _read_upstream(name: str, table: Table, process_env: Mapping[str, str]) -> UpstreamSettings:
    table.unknown_keys(UPSTREAM_KEYS, table.report.error)
    defaults = UpstreamSettings(name)
    is_cloudflare = name == CLOUDFLARE
    base_url = table.string("base_url", required=not is_cloudflare, example="http://localhost/v1")
    if base_url is not None and not _is_address(base_url):
        found = f"{table.name('base_url')} is {quoted(base_url)}; expected an http address"
        table.error("base_url", found, 'For example base_url = "http://localhost:11434/v1".')
    if "account_id_env" in table.data and not is_cloudflare:
        found = f"{table.name('account_id_env')} is for [ai.upstreams.{CLOUDFLARE}] only"
        table.error("account_id_env", found, "Remove it.")
    key = table.string("api_key_env", required="api_key_env" in table.data)
    account = table.string("account_id_env", required="account_id_env" in table.data)
    timeout_ms = read_duration_ms(table, "timeout", defaults.timeout_ms)
    if timeout_ms == 0:
        table.error("timeout", f"{table.name('timeout')} is 0; expected a duration above 0")
    return UpstreamSettings(
        name=name,
        base_url=base_url or defaults.base_url,
        api_key=process_env.get(key or (CLOUDFLARE_KEY_ENV if is_cloudflare else "")),
        account_id=process_env.get(account or CLOUDFLARE_ACCOUNT_ENV),
        timeout_ms=timeout_ms,
        models=_read_models(table),
    )


def _read_models(table: Table) -> dict[str, str]:
    models = table.table("models", 'Write models = { "@cf/meta/*" = "llama3.2" }.')
    if models is None:
        return {}
    return {glob: models.string(glob, required=True) or "" for glob in models.data}


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
