"""The plain values on `env`: `vars`, secrets from files, and `--var`.

Values from a file or from the process are secrets: their names are kept, so that they are never
printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from emulator.config import keys
from emulator.config.binding_names import BindingNames
from emulator.config.dotenv_files import Secrets
from emulator.config.environments import Selected
from emulator.config.toml_source import plain_json
from emulator.errors import UsageError
from emulator.json_types import Json

# Wrangler's names for the values on `env` that are not bindings.
VARIABLE = "Environment Variable"
SECRET = "Secret"
# Keys that are in [vars] only because a table header came too early: they are never variables.
_STRAYED = ("compatibility_date", "compatibility_flags", "main", "workers_dev", "account_id")


@dataclass(frozen=True, slots=True)
class Variables:
    """`values` hold the secrets too; `secret_names` are those that must never be shown."""

    values: dict[str, Json] = field(repr=False)
    secret_names: frozenset[str]


def parse_var_flags(flags: Iterable[str]) -> dict[str, str]:
    """Return the variables of `--var NAME:value`; the value may hold further colons.

    Raises UsageError, which does not quote the value.
    """
    result = {}
    for flag in flags:
        name, colon, value = flag.partition(":")
        if not colon or not name:
            raise UsageError(
                "--var: found no NAME before a colon; expected --var NAME:value\n"
                "  For example --var LOG_LEVEL:debug"
            )
        result[name] = value
    return result


def read_vars(selected: Selected, names: BindingNames) -> dict[str, Json]:
    """Return the `vars` of the environment as JSON values."""
    table = selected.owner("vars").table("vars", 'Write [vars] with NAME = "value" below it.')
    if table is None:
        return {}
    for key in table.data:
        names.add(key, VARIABLE, table.where(key))
        if key in _STRAYED and key in keys.TOP_LEVEL and table.source.shown.endswith(".toml"):
            text = f"{table.name(key)} is a variable here, because it stands below a table header"
            table.warn(key, text, f"Move {key} above the first [table].")
    values: dict[str, Json] = plain_json(table.data)
    return values


def read_required_secrets(selected: Selected, names: BindingNames) -> tuple[str, ...] | None:
    """Return the names of `secrets.required`, or None when secrets are not declared."""
    secrets = selected.owner("secrets").table("secrets", 'Write [secrets] required = ["NAME"].')
    if secrets is None:
        return None
    secrets.unknown_keys({"required"})
    required = secrets.strings("required")
    for name in required:
        names.add(name, SECRET, secrets.where("required"))
    return required if "required" in secrets.data else None


def combine(
    configured: Mapping[str, Json],
    required: tuple[str, ...] | None,
    secrets: Secrets,
    cli_vars: Mapping[str, str],
) -> Variables:
    """Return all variables: `--var` beats files, files beat the configuration.

    With `required`, only names that are required or configured are taken from the files.
    """
    taken = {
        name: value
        for name, value in secrets.values.items()
        if required is None or name in required or name in configured
    }
    return Variables({**configured, **taken, **cli_vars}, frozenset((*taken, *(required or ()))))


def report_variables(
    variables: Variables,
    required: tuple[str, ...] | None,
    secrets: Secrets,
    names: BindingNames,
    cli_vars: Mapping[str, str],
    selected: Selected,
) -> None:
    """Warn about required secrets without a value, report values with a binding's name."""
    missing = [name for name in required or () if name not in variables.values]
    if missing:
        owner = selected.owner("secrets")
        owner.warn(
            "secrets",
            f"Missing required secrets: {', '.join(missing)}",
            "Add them to .dev.vars, .env, or set as environment variables.",
        )
    origins = {name: secrets.shown[name] for name in variables.secret_names & secrets.shown.keys()}
    origins |= dict.fromkeys(cli_vars, "--var")
    for name, where in sorted(origins.items()):
        kind = names.kind_of(name)
        if kind not in (None, VARIABLE, SECRET):
            selected.top.report.error(
                where,
                f"{name} has a value here, and names a binding in the configuration ({kind})",
                "Rename one of the two: both are reached as env.NAME.",
            )
