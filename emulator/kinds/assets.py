"""Static assets: `[assets]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bindings.assets.paths import base_problem, to_base
from bindings.assets.settings import HTML_HANDLING, NOT_FOUND_HANDLING, AssetSettings
from emulator.config.model import Bound
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places

NAME = "assets"
RULES_MAX = 100  # patterns of run_worker_first
RULE_MAX_CHARS = 100
# Whether not_found_handling answers navigations of a browser: flags, and the date it is on from.
_NAVIGATION_FIRST = (
    "assets_navigation_prefers_asset_serving",
    "assets_navigation_has_no_effect",
    "2025-04-01",
)


def _read(section: Section) -> list[Bound[AssetSettings]]:
    assets = section.item('with directory = "public" below it')
    if assets is None:
        return []
    binding = section.name(assets, "ASSETS", required=False)
    given = assets.string("directory", required=True, example="public")
    directory = Path(os.path.abspath(section.config_dir / (given or "")))
    if given and not directory.is_dir():
        found = f"{assets.name('directory')} is {quoted(given)}; there is no such folder"
        assets.error("directory", found, f"Create {directory}, or name another folder.")
    html = assets.choice("html_handling", HTML_HANDLING)
    not_found = assets.choice("not_found_handling", NOT_FOUND_HANDLING)
    settings = AssetSettings(
        directory,
        html or HTML_HANDLING[0],
        not_found or NOT_FOUND_HANDLING[0],
        _read_worker_first(assets),
        _read_base(assets),
        section.flag(*_NAVIGATION_FIRST),
        section.has_only_assets(),
    )
    if settings.alone:
        _refuse_what_needs_code(assets, settings, binding)
    return [Bound(binding or "", NAME, settings)]


def _refuse_what_needs_code(assets: Table, settings: AssetSettings, binding: str | None) -> None:
    """Report what wrangler refuses in a project that has only assets."""
    fix = "Remove it, or name the worker's code in main."
    if settings.worker_first:
        text = "Cannot set run_worker_first without a Worker script"
        assets.error("run_worker_first", text, fix)
    if binding:
        text = "Cannot use assets with a binding in an assets-only Worker"
        assets.error("binding", text, fix)


def _read_worker_first(assets: Table) -> bool | tuple[str, ...]:
    key = "run_worker_first"
    if not isinstance(assets.data.get(key), list):
        return bool(assets.boolean(key))
    patterns = assets.strings(key)
    for pattern in patterns:
        if not pattern.startswith(("/", "!/")):
            found = (
                f"{assets.name(key)} has {quoted(pattern)}; expected one that begins with / or !/"
            )
            assets.error(key, found)
        elif len(pattern) > RULE_MAX_CHARS:
            found = f"{assets.name(key)} has {quoted(pattern)}; expected at most {RULE_MAX_CHARS}"
            assets.error(key, f"{found} characters")
    if len(patterns) > RULES_MAX:
        found = f"{assets.name(key)} has {len(patterns)} patterns; expected at most {RULES_MAX}"
        assets.error(key, found)
    if patterns and all(pattern.startswith("!") for pattern in patterns):
        found = f"{assets.name(key)} has only patterns that begin with !"
        assets.error(key, found, "Add one for the paths that the worker answers, such as /*.")
    return patterns


def _read_base(assets: Table) -> str:
    value = assets.data.get("base_path")
    if value is None:
        return "/"
    if not isinstance(value, str):
        assets.string("base_path")
        return "/"
    if problem := base_problem(value):
        assets.error("base_path", f"{assets.name('base_path')} is {quoted(value)}. {problem}")
    return to_base(value)


def _open(settings: AssetSettings, places: Places) -> Binding:
    from bindings.assets.assets import Assets

    return Assets(settings, places.announce)


KIND = Kind(
    name=NAME,
    typed="Fetcher",
    section="assets",
    friendly="Assets",
    keys=frozenset(
        "base_path binding directory html_handling not_found_handling run_worker_first".split()
    ),
    read=_read,
    open=_open,
    shown=lambda settings: os.path.relpath(settings.directory),
    is_front=True,
    workerd=lambda settings, service: {"service": service},
    http="bindings.assets.http:answer",
)
