"""A workflow instance to create, as REST and the binding ask the engine for it."""

from __future__ import annotations

from typing import NamedTuple


class NewInstance(NamedTuple):
    """id: None lets the engine choose one. params: in tagged JSON; None: there are none.

    retention: for how long it is kept after its end, `{"success"?, "error"?}` in milliseconds.
    """

    id: str | None = None
    params: bytes | None = None
    retention: dict[str, int] | None = None
