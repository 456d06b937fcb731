"""Tail consumers: `[[tail_consumers]]`, workers that hear what each event of this one did.

Source: docs/platform/services.md, "Tail consumers".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct

from emulator.config.model import Bound
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from emulator.kinds.places import Places

NAME = "tail_consumer"
_EXAMPLE = 'with service = "logger" below it.'


class TailConsumer(Struct, frozen=True):
    """One `[[tail_consumers]]` entry: the name of the worker."""

    worker: str


def _read(section: Section) -> list[Bound[TailConsumer]]:
    found = []
    for item in section.items(_EXAMPLE):
        service = item.string("service", required=True, example="logger")
        environment = item.string("environment")
        if service:
            worker = f"{service}-{environment}" if environment else service
            found.append(Bound("", NAME, TailConsumer(worker)))
    return found


def _open(record: TailConsumer, places: Places) -> NoReturn:
    raise AssertionError("a tail consumer is not on env")


KIND = Kind(
    name=NAME,
    section="tail_consumers",
    friendly="Tail Consumer",
    keys=frozenset({"service", "environment"}),
    name_key="service",
    read=_read,
    open=_open,
    shown=lambda record: record.worker,
    workerd=lambda record, service: None,  # it is not on env there either
)
