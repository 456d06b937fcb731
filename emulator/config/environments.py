"""Which values a chosen environment sees, and wrangler's warnings about those it does not.

Owns selection and inheritance. Never looks inside a section.
Source: docs/platform/configuration.md, "Environments".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from emulator.config import keys
from emulator.config.problems import Fault, Report, nearest, quoted
from emulator.config.source import Source
from emulator.config.table import Table

# It becomes part of the worker's name and of file names.
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


class Selected(Struct, frozen=True):
    """The configuration as one environment sees it. `env` is None without an `[env.NAME]`."""

    environment: str | None
    top: Table
    env: Table | None

    def owner(self, key: str) -> Table:
        """Return the table that `key` is to be read from, whether or not it holds it."""
        if self.env is None or key in keys.TOP_LEVEL_ONLY:
            return self.top
        if key in keys.INHERITABLE and key not in self.env.data:
            return self.top
        return self.env

    def names(self) -> list[str]:
        """Return the names of all environments of the file."""
        found = self.top.data.get("env")
        return list(found) if isinstance(found, dict) else []

    def prefix(self) -> str:
        """Return how keys of this environment are written in a header: `env.staging.` or ""."""
        return f"env.{self.environment}." if self.env is not None else ""


def chosen_environment(requested: str | None, process_env: Mapping[str, str]) -> str | None:
    """Return the environment's name; `--env=""` means the top level, despite CLOUDFLARE_ENV."""
    if requested is None:
        requested = process_env.get("CLOUDFLARE_ENV")
    return requested or None


def select_environment(source: Source, environment: str | None, report: Report) -> Selected:
    """Return what `environment` sees. Unknown keys are warned about here, in every environment.

    Raises Fault when the file defines environments and this is not one of them.
    """
    if environment is not None and not _ENVIRONMENT_NAME.fullmatch(environment):
        found = f"the environment's name is {quoted(environment)}"
        raise Fault(f"{found}; expected letters, digits, -, _ and . as in [env.NAME]")
    top = Table(source.parsed.data, (), source, report)
    _warn_about_unknown_keys(top)
    environments = top.table("env", "Write [env.staging] for an environment named staging.")
    names = list(environments.data) if environments is not None else []
    tables: dict[str, Table] = {}
    for name in names:
        table = environments.table(name) if environments is not None else None
        if table is not None:
            _warn_about_unknown_keys(table)
            tables[name] = table
    if environment is None:
        return Selected(None, top, None)
    if environment in tables:
        selected = Selected(environment, top, tables[environment])
        _warn_about_what_is_not_inherited(selected)
        return selected
    if environment in names:
        return Selected(environment, top, None)  # not an object: reported by `table` above
    if names:
        raise _no_such_environment(environment, names, source.line(("env",)))
    report.warn(
        source.shown,
        f"No environment found in configuration with name {quoted(environment)}; "
        "the top level is used",
        f"Add an [env.{environment}] section, or leave out --env.",
    )
    return Selected(environment, top, None)


def _no_such_environment(environment: str, names: list[str], line: int) -> Fault:
    close = nearest(environment, names)
    available = ", ".join(quoted(name) for name in names)
    fix = f"The available configured environment names are: [{available}]."
    if close:
        fix = f'Did you mean "{close}"? {fix}'
    text = f"No environment found in configuration with name {quoted(environment)}."
    return Fault(text, fix, line=line)


def _warn_about_unknown_keys(table: Table) -> None:
    in_environment = bool(table.path)
    known = keys.IN_ENVIRONMENT if in_environment else keys.TOP_LEVEL
    for key in table.data:
        if key in known or key in keys.REMOVED:
            continue
        if in_environment and key in keys.TOP_LEVEL_ONLY:
            text = f"{table.name(key)} is ignored: {quoted(key)} is allowed at the top level only"
            table.warn(key, text, "Move it above the first [table].")
            continue
        close = nearest(key, known)
        hint = f'Did you mean "{close}"?' if close else ""
        table.warn(key, f"{table.name(key)} is not a known key; it is ignored", hint)
    for key in keys.REMOVED:
        if key in table.data:
            table.error(key, f"{table.name(key)} is no longer supported", keys.REMOVED[key])


def _warn_about_what_is_not_inherited(selected: Selected) -> None:
    env = selected.env
    assert env is not None
    name = f"env.{selected.environment}"
    for key in selected.top.data:
        if key not in keys.NOT_INHERITABLE:
            continue
        if key in ("vars", "define"):
            _warn_about_missing_names(selected.top, env, key, name)
        elif key not in env.data:
            selected.top.warn(
                key,
                f'"{key}" exists at the top level, but not on "{name}". This is not what you '
                f'probably want, since "{key}" is not inherited by environments.',
                f'Please add "{key}" to "{name}".',
            )
        elif key == "workflows":
            _warn_about_missing_workflows(selected.top, env, name)


def _warn_about_missing_names(top: Table, env: Table, key: str, name: str) -> None:
    above, below = top.data[key], env.data.get(key, {})
    if not isinstance(above, dict) or not isinstance(below, dict):
        return
    missing = [item for item in above if item not in below]
    if missing:
        top.warn(
            key,
            f'The following {key} exist at the top level, but not on "{name}.{key}": '
            f"{', '.join(quoted(item)[1:-1] for item in missing)}. This is not what you probably "
            f'want, since "{key}" configuration is not inherited by environments.',
            f'Please add these {key} to "{name}.{key}".',
        )


def _warn_about_missing_workflows(top: Table, env: Table, name: str) -> None:
    below = {binding for binding, _ in _workflow_bindings(env)}
    for binding, index in _workflow_bindings(top):
        if binding not in below:
            top.report.warn(
                top.source.where(("workflows", index)),
                f"There is a workflows binding with name {quoted(binding)} at the top level, but "
                f'not on "{name}".',
                f'Please add a binding for {quoted(binding)} to "{name}.workflows".',
            )


def _workflow_bindings(table: Table) -> list[tuple[str, int]]:
    items = table.data["workflows"]
    return [
        (binding, index)
        for index, item in enumerate(items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(binding := item.get("binding"), str)
    ]
