"""Every target, by name."""

from __future__ import annotations

from tests.fuzz.configuration import Configuration, Texts
from tests.fuzz.connections import Connections, WebSockets
from tests.fuzz.core import Target
from tests.fuzz.documents import Cassettes, Histories
from tests.fuzz.engine import Engines
from tests.fuzz.frames import Frames
from tests.fuzz.journals import Journals
from tests.fuzz.rest import Rest
from tests.fuzz.schemas import Schemas
from tests.fuzz.sql import Sql
from tests.fuzz.values import Values
from tests.fuzz.vectorize import Vectors

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (
        *(Frames, Values, Engines),
        *(Configuration, Texts),
        *(Sql, Vectors, Schemas),
        *(Histories, Cassettes, Journals),
        *(Connections, WebSockets, Rest),
    )
}
