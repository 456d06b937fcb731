"""Checks ids, sizes and numbers of instances. Pure; each refusal is a WorkerError.

Source: docs/platform/workflows.md, "Identifiers" and "Batches".
"""

from __future__ import annotations

import re

from emulator.engine.decide.beginnings import is_event_type
from emulator.engine.decide.steps import is_too_large
from emulator.errors import WorkerError
from emulator.protocol import values

# Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workflows-shared/src/lib/validators.ts
INSTANCE_ID_MAX_CHARS = 100
ADDRESSABLE_ID_MAX_CHARS = 271  # the longest cron expression, a hyphen, and a time
BATCH_MAX = 100  # instances. Source: docs/platform/workflows.md, "Limits".

_INSTANCE_ID = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9\-_]*")
_ADDRESSABLE_ID = re.compile(r"[a-zA-Z0-9, */#_\-]+")
_RESERVED_ID = re.compile(r"cf_[0-9a-f]{64}|batch|terminate|terminateAll")


def check_new(instance_id: str | None, params: bytes | None) -> None:
    """Refuse a bad id, and params that are too large, for `create` and the array of a batch."""
    if instance_id is not None and not _is_instance_id(instance_id):
        raise WorkerError("(instance.invalid_id) Instance has invalid id")
    check_size("Workflow params", params or b"")


def check_new_in_batch(instance_id: str | None, params: bytes | None) -> None:
    """Refuse the same for the object form of a batch, in which some valid ids are reserved."""
    if instance_id is not None and (
        not _is_instance_id(instance_id) or _RESERVED_ID.fullmatch(instance_id)
    ):
        raise _invalid_id()
    check_size("Workflow params", params or b"")


def check_addressable(instance_id: object) -> str:
    """Return the id; refuse what no instance can have. Schedules make ids with other characters."""
    if (
        not isinstance(instance_id, str)
        or len(instance_id) > ADDRESSABLE_ID_MAX_CHARS
        or not _ADDRESSABLE_ID.fullmatch(instance_id)
    ):
        raise _invalid_id()
    return instance_id


def check_deletions(ids: object) -> list[str]:
    """Return the ids of a batch of deletions, or refuse it as a whole."""
    if not isinstance(ids, list):
        raise WorkerError("(body) Provided argument is invalid")
    if not ids:
        raise WorkerError("(body) batchDeleteInstances should have at least 1 instance")
    if len(ids) > BATCH_MAX:
        raise WorkerError(
            f"(body) batchDeleteInstances only supports {BATCH_MAX} instances at a time",
        )
    return [check_addressable(instance_id) for instance_id in ids]


def check_event(event_type: str, payload: bytes) -> None:
    """Refuse a bad event type, and a payload that is too large."""
    if not is_event_type(event_type):
        raise WorkerError("(workflow.invalid_event_type) Provided event type is invalid")
    check_size("Event payload", payload)


def check_size(what: str, value: bytes) -> None:
    """Refuse a value over 1 MiB."""
    if is_too_large(value):
        raise WorkerError(
            f"{what} of {values.size(value):,} bytes are too large. Maximum allowed size is 1MiB.",
        )


def _is_instance_id(value: str) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= INSTANCE_ID_MAX_CHARS
        and _INSTANCE_ID.fullmatch(value) is not None
    )


def _invalid_id() -> WorkerError:
    return WorkerError("(instance.invalid_id) Instance ID is invalid")
