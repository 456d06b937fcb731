"""Secrets Store: `[[secrets_store_secrets]]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.binding import Binding
    from bindings.secrets.secrets import Secrets
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "secrets_store"
FOLDER = "secrets-store"
_EXAMPLE = 'with binding = "KEY", store_id = "1" and secret_name = "api-key" below it.'


class StoreSecret(Struct, frozen=True):
    """One `[[secrets_store_secrets]]` entry."""

    store: str
    name: str


def path(state: State) -> Path:
    """Return the file of all stores."""
    return state.database(FOLDER, "secrets")


def _read(section: Section) -> list[Bound[StoreSecret]]:
    found = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "KEY")
        store = item.string("store_id", required=True, example="1")
        name = item.string("secret_name", required=True, example="api-key")
        if binding and store and name:
            found.append(Bound(binding, NAME, StoreSecret(store, name)))
    return found


def _open(record: StoreSecret, places: Places) -> Binding:
    from bindings.secrets.secrets import SecretBinding, Secrets

    def opened() -> Secrets:
        return Secrets(path(places.state), places.clock.now_ms, places.synchronous)

    return SecretBinding(places.keep(FOLDER, opened), record.store, record.name)


def _in_workerd(record: StoreSecret, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import called

    return called(service, methods=["get"])


KIND = Kind(
    name=NAME,
    typed="SecretsStoreSecret",
    section="secrets_store_secrets",
    friendly="Secrets Store Secret",
    keys=frozenset({"binding", "store_id", "secret_name"}),
    read=_read,
    open=_open,
    shown=lambda secret: f"{secret.name} of {secret.store}",
    files=(FOLDER,),
    commands="emulator.cli.secrets_store:secrets_store",
    command="secrets-store",
    workerd=_in_workerd,
    http="bindings.calls:answer",
)
