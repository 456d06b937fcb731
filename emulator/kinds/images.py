"""Images: `[images]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "images"


class ImagesRecord(Struct, frozen=True):
    """`[images]`: there is nothing to say of it."""


def _read(section: Section) -> list[Bound[ImagesRecord]]:
    item = section.item('with binding = "IMAGES" below it')
    name = None if item is None else section.name(item, "IMAGES")
    return [Bound(name, NAME, ImagesRecord())] if name else []


def _open(record: ImagesRecord, places: Places) -> Binding:
    from bindings.images.images import Images

    return Images()


def _in_workerd(record: ImagesRecord, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import wrapped

    return wrapped("images-api", [{"name": "fetcher", "service": service}])


KIND = Kind(
    name=NAME,
    typed="ImagesBinding",
    section="images",
    friendly="Images",
    keys=frozenset({"binding", "remote"}),
    read=_read,
    open=_open,
    shown=lambda record: "edited with Pillow",
    workerd=_in_workerd,
    http="bindings.images.http:answer",
)
