"""The type of JSON values, for all layers."""

from __future__ import annotations

from typing import TypeAlias

# As `json.loads` makes them. Integers are exact, as in Python.
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
