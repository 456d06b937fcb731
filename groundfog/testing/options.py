"""The options of a worker in a test: where they are given, and which wins.

From the farthest to the nearest: pytest's ini file, variables of the environment, the fixture
`worker_options`, marks of the module, of the class and of the test, arguments.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from groundfog.testing.errors import GroundfogError

KEYS = frozenset(
    """
    project config environment vars secrets clock now migrate on_divergence durability timeout
    allow_hosts bindings ai cassette
    """.split()
)
CHOICES = {
    "clock": ("auto", "virtual", "real"),
    "on_divergence": ("fail", "hold", "warn"),
    "durability": ("process", "full"),
    "ai": ("stub", "replay", "record", "extend"),
}
_ADDED = ("vars", "secrets", "bindings")
DEFAULT_TIMEOUT_S = 10.0
_VARIABLES = {
    "GROUNDFOG_PROJECT": "project",
    "GROUNDFOG_ENVIRONMENT": "environment",
    "GROUNDFOG_CLOCK": "clock",
}


class BadOption(GroundfogError, ValueError):
    """An option of a worker is unknown, or its value is."""


def of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that variables of the environment give."""
    return {key: environ[name] for name, key in _VARIABLES.items() if environ.get(name)}


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of all layers; later ones win, and add to `vars`, `secrets`, `bindings`.

    Raises BadOption.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            _check(key, value)
            if key in _ADDED:
                value = {**merged.get(key, {}), **value}
            merged[key] = value
    return merged


def _check(key: str, value: Any) -> None:
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, 1)
        hint = f' Did you mean "{near[0]}"?' if near else f" There are: {', '.join(sorted(KEYS))}."
        raise BadOption(f'A worker has no option "{key}".{hint}')
    if key in CHOICES and value not in CHOICES[key]:
        expected = ", ".join(f'"{choice}"' for choice in CHOICES[key])
        raise BadOption(f"The option {key} is {value!r}; expected one of {expected}.")
    if key in _ADDED and not isinstance(value, Mapping):
        raise BadOption(f"The option {key} is {value!r}; expected a dict of names and values.")


def for_host(options: Mapping[str, Any], folder: str, group: str = "") -> dict[str, Any]:
    """Return merged options as the host takes them; paths are relative to `folder`.

    group: of the workers that call each other.

    Raises BadOption.
    """
    project = os.path.join(folder, os.fspath(options.get("project", ".")))
    config = options.get("config")
    return {
        "project": os.path.abspath(project),
        "config": "" if config is None else os.path.abspath(os.path.join(folder, config)),
        "environment": options.get("environment"),
        "vars": dict(options.get("vars", {})),
        "secrets": dict(options.get("secrets", {})),
        "clock": options.get("clock", "auto"),
        "now_ms": instant_ms(options["now"]) if options.get("now") is not None else None,
        "migrate": bool(options.get("migrate", True)),
        "on_divergence": options.get("on_divergence", "fail"),
        "durability": options.get("durability", "process"),
        "allow_hosts": _hosts(options.get("allow_hosts", ())),
        "process_env": dict(os.environ),
        "group": group,
    }


def cassette_path(options: Mapping[str, Any], folder: str) -> str:
    """Return the file of recorded answers of `env.AI`. Raises BadOption without one."""
    path = options.get("cassette")
    if path is None:
        raise BadOption('The option ai needs the option cassette: a path, such as "ai.json".')
    return os.path.abspath(os.path.join(folder, os.fspath(path)))


def _hosts(given: Any) -> list[str]:
    if isinstance(given, str):
        raise BadOption(f"The option allow_hosts is {given!r}; expected a list of hosts.")
    return [str(host) for host in given]


def instant_ms(given: str | datetime | int | float) -> int:
    """Return an instant in epoch milliseconds: from ISO 8601, a datetime, or milliseconds.

    Without a zone, it is UTC. Raises BadOption.
    """
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise BadOption(
                f'The instant is {given!r}; expected ISO 8601, such as "2026-01-01T09:00Z".'
            ) from None
    if isinstance(given, datetime):
        aware = given if given.tzinfo is not None else given.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    return int(given)
