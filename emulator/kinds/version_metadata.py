"""Version metadata: `[version_metadata]`. A value, and no binding that is called.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

import uuid
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct

from emulator.clock import SystemClock
from emulator.config.model import Bound
from emulator.engine.model.plain import iso
from emulator.json_types import Json
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from emulator.kinds.places import Places

NAME = "version_metadata"


class VersionMetadata(Struct, frozen=True):
    """`[version_metadata]`: what it says is the same from the start of this process on."""


@cache
def metadata() -> dict[str, Json]:
    """Return the version that runs: a new one at each start."""
    return {"id": str(uuid.uuid4()), "tag": "", "timestamp": iso(SystemClock().now_ms())}


def _read(section: Section) -> list[Bound[VersionMetadata]]:
    item = section.item('with binding = "VERSION" below it')
    name = None if item is None else section.name(item, "VERSION")
    return [Bound(name, NAME, VersionMetadata())] if name else []


def _open(record: VersionMetadata, places: Places) -> NoReturn:
    raise AssertionError("version metadata is a value")


KIND = Kind(
    name=NAME,
    typed="WorkerVersionMetadata",
    section="version_metadata",
    friendly="Worker Version Metadata",
    keys=frozenset({"binding"}),
    read=_read,
    open=_open,
    shown=lambda record: str(metadata()["id"]),
    value=lambda record: metadata(),
)
