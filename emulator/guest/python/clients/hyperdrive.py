"""Where a database is. Source: docs/platform/hyperdrive.md, "The binding"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..calls import Caller
from ..sdk.jsproxy import proxied


def CLIENT(caller: Caller, name: str, told: Mapping[str, Any]) -> Any:
    """Return `connectionString`, `host`, `port`, `user`, `password`, `database`."""
    return proxied(told["members"], f"env.{name}")
