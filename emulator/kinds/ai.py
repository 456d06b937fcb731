"""Workers AI: `[ai]` of both files, and who answers: a stub, a cassette, an upstream.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, assert_never, cast

from bindings.ai.settings import AiSettings
from emulator.config.model import Bound, Config
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.ai.ai import Ai, Substitute
    from bindings.ai.ledger import Ledger
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "ai"
KEYS = frozenset({"binding", "remote", "staging"})
LEDGER = "ai-calls.jsonl"  # a full one is kept beside it with `.1` added
# Names another cassette than groundfog.toml does: one for each test, say.
CASSETTE_VARIABLE = "GROUNDFOG_AI_CASSETTE"


def settings_of(config: Config) -> AiSettings:
    """Return what groundfog.toml says of env.AI, whether or not it is bound."""
    return cast(AiSettings, config.settings.kinds.get(NAME, AiSettings()))


def ledger_path(state: State) -> Path:
    """Return where the calls of env.AI are recorded."""
    return state.directory / LEDGER


def _read(section: Section) -> list[Bound[AiSettings]]:
    ai = section.item('with binding = "AI" below it')
    if ai is None:
        return []
    binding = section.name(ai, "AI")
    ai.boolean("staging")
    return [Bound(binding, NAME, section.settings)] if binding else []


def _read_settings(ai: Table, process_env: Mapping[str, str]) -> AiSettings:
    if not ai.data:
        return AiSettings()
    from emulator.kinds.ai_settings import read_ai_settings  # most projects have no such section

    return read_ai_settings(ai, process_env)


def _shown(settings: AiSettings) -> str:
    upstream = settings.upstream
    asked = "" if upstream is None else f"{upstream.name} ({upstream.base_url})"
    match settings.mode:
        case "stub":
            return "local stub"
        case "replay":
            return f"replayed from {settings.cassette}"
        case "record":
            return f"asks {asked}, recorded in {settings.cassette}"
        case "extend":
            return f"replayed from {settings.cassette}, or asks {asked}"
        case "remote":
            return f"asks {asked}"
        case _:
            assert_never(settings.mode)


def _open(settings: AiSettings, places: Places) -> Binding:
    from bindings.ai.ledger import Ledger

    def new_ledger() -> Ledger:
        return Ledger(ledger_path(places.state))

    ledger = places.keep(LEDGER, new_ledger)  # a reload must not renew the budget
    return open_ai(settings, places.project_dir, places.secrets, ledger)


def open_ai(
    settings: AiSettings, project_dir: Path, secrets: tuple[str, ...], ledger: Ledger
) -> Ai:
    """Return the binding. secrets: values that no file may contain."""
    from bindings.ai.ai import Ai, Settings
    from bindings.ai.scrubbing import Scrubber

    hidden = _secrets(settings, secrets)
    return Ai(
        settings.rules,
        Settings(
            strict=settings.strict,
            substitute=_substitute(settings, project_dir, hidden),
            budget=settings.budget,
            scrubber=Scrubber(hidden),
        ),
        ledger=ledger,
    )


def _substitute(
    settings: AiSettings, project_dir: Path, hidden: tuple[str, ...]
) -> Substitute | None:
    """Return what answers in place of the stub: None, a cassette, an upstream or both."""
    if settings.mode == "stub":
        return None
    from bindings.ai.cassettes import Cassette
    from bindings.ai.scrubbing import Scrubber
    from bindings.ai.substitutes import ExtendedCassette, PlayedCassette, RecordedUpstream
    from bindings.ai.upstreams import Cloudflare, OpenAi

    asked = settings.upstream
    upstream: Cloudflare | OpenAi | None = None
    if asked is not None:
        upstream = Cloudflare(asked) if asked.name == "cloudflare" else OpenAi(asked)
    if settings.mode == "remote":
        return upstream
    named = os.environ.get(CASSETTE_VARIABLE) or settings.cassette
    cassette = Cassette(project_dir / named, Scrubber(hidden))
    if settings.mode == "replay" or upstream is None:
        return PlayedCassette(cassette)
    recorded = RecordedUpstream(upstream, cassette)
    if settings.mode == "extend":
        return ExtendedCassette(PlayedCassette(cassette), recorded)
    return recorded


def _secrets(settings: AiSettings, secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Return what cassette and ledger may not contain: the worker's and the upstream's secrets."""
    upstream = settings.upstream
    if upstream is None:
        return secrets
    return (*secrets, upstream.api_key or "", upstream.account_id or "")


def _identity(settings: AiSettings, places: Places) -> Hashable:
    return repr(settings), _secrets(settings, places.secrets)


def _in_workerd(settings: AiSettings, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import wrapped

    return wrapped("ai-api", [{"name": "fetcher", "service": service}])


KIND = Kind(
    name=NAME,
    typed="Ai",
    section="ai",
    friendly="AI",
    keys=KEYS,
    read=_read,
    open=_open,
    shown=_shown,
    identity=_identity,
    settings="ai",
    read_settings=_read_settings,
    files=(LEDGER, f"{LEDGER}.1"),
    commands="emulator.cli.ai:ai",
    routes="emulator.server.api.ai:routes",
    workerd=_in_workerd,
    http="bindings.ai.http:answer",
    line=1,
)
