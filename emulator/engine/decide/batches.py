"""What a batch answers of each of its items: production's codes and messages. Pure.

Source: docs/platform/workflows.md, "Batches".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.answers.workflows import BatchDeletion, BatchError, CreationError


Problem = tuple[int, str]  # code and message

INTERNAL_ERROR: Problem = (10001, "workflows.api.error.internal_server")
NOT_FOUND: Problem = (10400, "workflows.api.error.instance.not_found")
ALREADY_EXISTS: Problem = (10405, "workflows.api.error.instance.already_exists")
DUPLICATE_IN_BATCH: Problem = (10415, "workflows.api.error.instance.duplicate_in_batch")


def creation_error(problem: Problem, index: int, instance_id: str) -> CreationError:
    """Return why an item was not created."""
    code, message = problem
    return {"index": index, "id": instance_id, "code": code, "message": message}


def deletion_error(problem: Problem, instance_id: str) -> BatchError:
    """Return why an instance was not deleted."""
    code, message = problem
    return {"id": instance_id, "code": code, "message": message}


def deletions(
    ids: Iterable[str], found: Mapping[str, int | None], *, recorded: bool
) -> BatchDeletion:
    """Return what became of each id, in the order of `ids`.

    found: the key of each instance, or None. recorded: False when nothing could be deleted.
    """
    answer: BatchDeletion = {"deleted": [], "errors": []}
    for instance_id in ids:
        if found[instance_id] is None:
            answer["errors"].append(deletion_error(NOT_FOUND, instance_id))
        elif recorded:
            answer["deleted"].append({"id": instance_id})
        else:
            answer["errors"].append(deletion_error(INTERNAL_ERROR, instance_id))
    return answer
