"""`groundfog secrets-store`: the secrets of the project's local stores, with wrangler's names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from bindings.secrets.secrets import Secrets
from emulator.cli.lazy import Group
from emulator.cli.local_options import local_options
from emulator.cli.options import ProjectOptions, load_project
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.kinds.secrets_store import path
from emulator.state import State

T = TypeVar("T")


@click.group("secrets-store", cls=Group)
def secrets_store() -> None:
    """Create, list and delete the secrets of local stores."""


@secrets_store.group("secret")
def secret() -> None:
    """Create, list and delete secrets."""


def _ask(options: ProjectOptions, work: Callable[[Secrets], Awaitable[T]]) -> T:
    state = State.locate(load_project(options), options.persist_to)
    state.prepare()

    async def asked() -> T:
        found = Secrets(path(state), SystemClock().now_ms, "FULL")
        try:
            return await work(found)
        except WorkerError as error:
            raise EmulatorError(str(error)) from None
        finally:
            await found.close()

    return asyncio.run(asked())


@secret.command("create")
@click.argument("store")
@click.option("--name", required=True, help="The secret's name.")
@click.option("--value", help="Its value; without it, it is asked for.")
@click.option("--scopes", hidden=True, expose_value=False)
@click.option("--comment", hidden=True, expose_value=False)
@local_options("stores")
def create(options: ProjectOptions, store: str, name: str, value: str | None) -> None:
    """Create a secret in STORE, or replace its value."""
    given = value if value is not None else click.prompt("Value", hide_input=True)
    if not given:
        raise UsageError("The value is empty.")
    _ask(options, lambda found: found.put(store, name, given))
    say(f"Created the secret {name} in the store {store}.")


@secret.command("list")
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("stores")
def list_secrets(options: ProjectOptions, store: str, as_json: bool) -> None:
    """Print the names of the secrets in STORE; never their values."""

    async def read(found: Secrets) -> list[dict[str, str]]:
        return [
            {"id": each.id, "name": each.name, "modified": iso(each.changed_ms)}
            for each in found.all_of(store)
        ]

    found = _ask(options, read)
    if as_json:
        show_json(found)
    elif found:
        show(draw_table(("name", "modified"), [(each["name"], each["modified"]) for each in found]))
    else:
        show(f"The store {store} has no secrets.")


@secret.command("delete")
@click.argument("store")
@click.option("--name", required=True, help="The secret's name.")
@local_options("stores")
def delete(options: ProjectOptions, store: str, name: str) -> None:
    """Delete a secret of STORE."""
    if not _ask(options, lambda found: found.delete(store, name)):
        raise UsageError(f"The store {store} has no secret {name}.")
    say(f"Deleted the secret {name} of the store {store}.")
