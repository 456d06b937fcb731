"""Email: `[[send_email]]`, and what the worker's `email` handler gets.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "email"
FOLDER = "email"
CLIENT_MODULE = "groundfog:email"
_EXAMPLE = 'with name = "EMAIL" below it.'


class Sender(Struct, frozen=True):
    """One `[[send_email]]` entry: from and to whom it sends; None: anybody."""

    destination: str | None = None
    destinations: tuple[str, ...] | None = None
    senders: tuple[str, ...] | None = None


def path(state: State) -> Path:
    """Return the file of the project's mailbox."""
    return state.database(FOLDER, "mails")


def _read(section: Section) -> list[Bound[Sender]]:
    found = []
    for item in section.items(_EXAMPLE):
        name = section.name(item, "EMAIL")
        one = item.string("destination_address")
        several = _addresses(item, "allowed_destination_addresses")
        if one is not None and several is not None:
            text = f"{item.name()} has destination_address and allowed_destination_addresses"
            item.error("destination_address", text, "Keep one of the two.")
        senders = _addresses(item, "allowed_sender_addresses")
        if name:
            found.append(Bound(name, NAME, Sender(one, several, senders)))
    return found


def _addresses(item: Table, key: str) -> tuple[str, ...] | None:
    return item.strings(key) if key in item.data else None


def _open(record: Sender, places: Places) -> Binding:
    from bindings.email.mailbox import Mailbox
    from bindings.email.sending import Rules, SendEmail

    def opened() -> Mailbox:
        return Mailbox(path(places.state), places.clock.now_ms, places.synchronous)

    rules = Rules(record.destination, record.destinations, record.senders)
    return SendEmail(places.keep(FOLDER, opened), rules, places.announce)


def _shown(record: Sender) -> str:
    if record.destination is not None:
        return f"to {record.destination}"
    if record.destinations is not None:
        return f"to {', '.join(record.destinations)}"
    return "to anybody"


def _in_workerd(record: Sender, service: str) -> dict[str, Value]:
    return {
        "wrapped": {
            "moduleName": CLIENT_MODULE,
            "innerBindings": [{"name": "host", "service": service}],
        }
    }


KIND = Kind(
    name=NAME,
    typed="SendEmail",
    section="send_email",
    friendly="Send Email",
    keys=frozenset(
        {"name", "destination_address", "allowed_destination_addresses"}
        | {"allowed_sender_addresses", "remote"}
    ),
    name_key="name",
    read=_read,
    open=_open,
    shown=_shown,
    files=(FOLDER,),
    commands="emulator.cli.email:email",
    routes="emulator.server.api.email:routes",
    trigger="emulator.triggers.email:trigger",
    workerd=_in_workerd,
    http="bindings.email.http:answer",
)
