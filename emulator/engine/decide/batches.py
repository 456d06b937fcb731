"""What a batch answers of each of its items: production's codes and messages. Pure.

Source: docs/platform/workflows.md, "Batches".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = Any
Problem = tuple[int, str]  # code and message

INTERNAL_ERROR: Problem = (10001, "workflows.api.error.internal_server")
NOT_FOUND: Problem = (10400, "workflows.api.error.instance.not_found")
ALREADY_EXISTS: Problem = (10405, "workflows.api.error.instance.already_exists")
DUPLICATE_IN_BATCH: Problem = (10415, "workflows.api.error.instance.duplicate_in_batch")


def item_error(problem: Problem, **item: Json) -> dict[str, Json]:
    """Return `{…item, "code": 10405, "message": "…"}`."""
    code, message = problem
    return {**item, "code": code, "message": message}


def deletions(
    ids: Iterable[str], found: Mapping[str, int | None], *, recorded: bool
) -> dict[str, Json]:
    """Return `{"deleted": [{"id"}], "errors": [{"id", "code", "message"}]}` in the order of `ids`.

    found: the key of each instance, or None. recorded: False when nothing could be deleted.
    """
    deleted: list[Json] = []
    errors: list[Json] = []
    for instance_id in ids:
        if found[instance_id] is None:
            errors.append(item_error(NOT_FOUND, id=instance_id))
        elif recorded:
            deleted.append({"id": instance_id})
        else:
            errors.append(item_error(INTERNAL_ERROR, id=instance_id))
    return {"deleted": deleted, "errors": errors}
