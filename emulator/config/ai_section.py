"""`[ai]` of groundfog.toml, but for its rules: who answers calls of env.AI, and how many."""

from __future__ import annotations

from typing import Literal, cast
from urllib.parse import urlsplit

from emulator.config.durations_key import read_duration_ms
from emulator.config.model import AiSettings, AiUpstream
from emulator.config.problems import nearest, quoted
from emulator.config.table import Table

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
LIMIT_MAX = 1_000_000_000
_UPSTREAM_EXAMPLE = 'Write [ai.upstreams.ollama] with base_url = "http://localhost:11434/v1".'


def read_ai_settings(ai: Table) -> AiSettings:
    """Return who answers, and the limits; every problem is reported."""
    mode = cast(Literal["stub", "replay", "record", "remote"], ai.choice("mode", MODES) or "stub")
    upstreams = _read_upstreams(ai)
    name = ai.string("upstream", required="upstream" in ai.data)
    upstream = _find_upstream(ai, name, upstreams)
    if mode in ("record", "remote") and name is None:
        ai.error(
            "mode",
            f'ai.mode is "{mode}", and ai.upstream does not say whom to ask',
            f'Add upstream = "{CLOUDFLARE}", or the name of an [ai.upstreams.NAME] section.',
        )
    elif mode in ("record", "remote") and upstream is not None:
        ai.warn(
            "mode",
            f'ai.mode is "{mode}": calls of env.AI leave this machine for {upstream.base_url}',
            'Set mode = "stub" or mode = "replay" to stay offline.',
        )
    cassette = ai.string("cassette", required="cassette" in ai.data)
    defaults = AiSettings()
    return AiSettings(
        mode=mode,
        upstream=upstream,
        cassette=cassette or defaults.cassette,
        max_calls=ai.integer("max_calls", 1, LIMIT_MAX),
        max_neurons=ai.integer("max_neurons", 1, LIMIT_MAX),
    )


def _find_upstream(
    ai: Table, name: str | None, upstreams: dict[str, AiUpstream]
) -> AiUpstream | None:
    if name is None:
        return None
    if name == CLOUDFLARE and name not in upstreams:
        return AiUpstream(CLOUDFLARE)
    if name not in upstreams:
        close = nearest(name, [*upstreams, CLOUDFLARE])
        hint = f'Did you mean "{close}"?' if close else _UPSTREAM_EXAMPLE
        ai.error("upstream", f"ai.upstream is {quoted(name)}; no [ai.upstreams] is called so", hint)
    return upstreams.get(name)


def _read_upstreams(ai: Table) -> dict[str, AiUpstream]:
    section = ai.table("upstreams", _UPSTREAM_EXAMPLE)
    if section is None:
        return {}
    found: dict[str, AiUpstream] = {}
    for name in section.data:
        table = section.table(name, _UPSTREAM_EXAMPLE)
        if table is not None:
            found[name] = _read_upstream(name, table)
    return found


def _read_upstream(name: str, table: Table) -> AiUpstream:
    table.unknown_keys(UPSTREAM_KEYS, table.report.error)
    defaults = AiUpstream(name)
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
    return AiUpstream(
        name=name,
        base_url=base_url or defaults.base_url,
        api_key_env=key or ("CLOUDFLARE_API_TOKEN" if is_cloudflare else None),
        account_id_env=account or defaults.account_id_env,
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
