"""The options of `run`, checked. Pure. Source: docs/platform/workers-ai.md, "The client"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bindings.ai.catalogue import Api
from bindings.ai.errors import invalid_input, not_emulated
from bindings.messages import shortened, shown
from emulator.errors import WorkerError

TAGS_MAX = 5
TAG = re.compile(r"[A-Za-z0-9:\-./@]{1,50}\Z")
UNCHECKED = Api.WEBSOCKET  # the one API without a schema: inputs pass as they are


class Options(Struct, frozen=True):
    """The options that change an answer; the others have no effect here."""

    is_queued: bool = False


def parse(wanted: Any) -> Options:
    """Return the options. Raises WorkerError."""
    if wanted is None:
        return Options()
    if not isinstance(wanted, Mapping):
        raise WorkerError(
            f"AI.run options must be an object, and are {shortened(wanted)}", name="TypeError"
        )
    if wanted.get("websocket"):
        raise not_emulated("the AI.run option websocket", "Leave it out to run locally.")
    _check_tags(wanted.get("tags"))
    gateway = wanted.get("gateway")
    if gateway is not None and not isinstance(gateway, Mapping):
        raise invalid_input("gateway must be an object with an id")
    return Options(is_queued=bool(wanted.get("queueRequest")))


def _check_tags(tags: Any) -> None:
    if tags is None:
        return
    if not isinstance(tags, list) or len(tags) > TAGS_MAX:
        raise invalid_input(f"tags must be an array of at most {TAGS_MAX} strings")
    for tag in tags:
        if not isinstance(tag, str) or not TAG.match(tag):
            raise invalid_input(
                f"tag {shown(tag)} must be 1 to 50 characters from A-Z, a-z, 0-9 and :-./@"
            )
