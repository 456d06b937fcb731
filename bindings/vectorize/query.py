"""The options of `query` and `queryById`, parsed and checked, and how metadata is shown.

Pure. Limits and wording are production's where they are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from bindings.messages import shortened, shown
from bindings.vectorize.errors import TOP_K, UNREADABLE_QUERY, Refused
from bindings.vectorize.filters import Condition, lookup, parse_filter, truncate_string
from bindings.vectorize.vectors import check_namespace
from emulator.errors import WorkerError

DEFAULT_TOP_K = 5
TOP_K_MAX = 100
# The limits page says 20; the service's own message (code 40025) has said 50 since 2025.
TOP_K_MAX_WITH_VALUES = 50

MetadataMode = Literal["none", "indexed", "all"]


class QueryOptions(Struct, frozen=True):
    """What a query asks for, apart from the vector."""

    top_k: int
    return_values: bool
    return_metadata: MetadataMode
    namespace: str | None
    filter: tuple[Condition, ...]


def parse_options(options: Any) -> QueryOptions:
    """Return the parsed options.

    Raises Refused for what the service refuses, WorkerError for what the client refuses.
    """
    options = {} if options is None else options
    if not isinstance(options, dict):
        raise Refused(
            UNREADABLE_QUERY, f"expected options to be an object, and got {shown(options)}"
        )
    mode = _metadata_mode(options.get("returnMetadata"))
    return_values = options.get("returnValues") or False
    if not isinstance(return_values, bool):
        raise Refused(
            UNREADABLE_QUERY,
            f"Failed to parse the request body as JSON: returnValues: expected a boolean, "
            f"and got {shown(return_values)}",
        )
    return QueryOptions(
        top_k=_top_k(options.get("topK"), limited=return_values or mode == "all"),
        return_values=return_values,
        return_metadata=mode,
        namespace=check_namespace(options.get("namespace")),
        filter=parse_filter(options.get("filter")),
    )


def show_indexed(metadata: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return the values in the metadata indexes of `paths`: strings are cut to 64 bytes."""
    shown: dict[str, Any] = {}
    for path in paths:
        value = lookup(metadata, path)
        if isinstance(value, str):
            shown[path] = truncate_string(value)
        elif isinstance(value, bool | int | float):
            shown[path] = value
    return shown


def _metadata_mode(value: Any) -> MetadataMode:
    match value:
        case None | "none":
            return "none"
        case True | "all":
            return "all"
        case "indexed":
            return "indexed"
        case False:
            # The client's message lists `false` and passes it on, but the service refuses it.
            raise Refused(
                UNREADABLE_QUERY,
                "Failed to parse the request body as JSON: returnMetadata: expected value"
                ' (false is refused; leave it out, or say "none")',
            )
    raise WorkerError(
        'Invalid returnMetadata option. Expected: true, false, "none", "indexed" or "all"; '
        f"got: {shortened(value)}"
    )


def _top_k(value: Any, *, limited: bool) -> int:
    if value is None:
        return DEFAULT_TOP_K
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Refused(
            UNREADABLE_QUERY, f"expected topK to be a whole number, and got {shown(value)}"
        )
    if value < 1:
        raise Refused(TOP_K, f"min top K is 1, but got {shown(value)}")
    if value > TOP_K_MAX:
        raise Refused(TOP_K, f"max top K is {TOP_K_MAX}, but got {shown(value)}")
    if limited and value > TOP_K_MAX_WITH_VALUES:
        raise Refused(
            TOP_K,
            "with returnValues=true or returnMetadata=all, max top K is "
            f"{TOP_K_MAX_WITH_VALUES}, but got {value}; for a top K up to {TOP_K_MAX}, retry with "
            "returnValues=false and returnMetadata=indexed",
        )
    return int(value)
