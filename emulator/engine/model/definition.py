"""A workflow as it is configured. It imports almost nothing, as every command reads it.

Source: docs/platform/workflows.md, "Limits" and "Retention".
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from emulator.words import Language

STEP_LIMIT = 10_000  # step.do calls per instance, on the paid plan
DAY_MS = 86_400_000
RETENTION_MAX_MS = 30 * DAY_MS  # on the paid plan
RETENTION_MS = 7 * DAY_MS  # on the paid plan, for workflows created after 2026-09-10


class Retention(Struct, frozen=True):
    """How long instances are kept after their end: after success, and after any other end."""

    success_ms: int = RETENTION_MS
    error_ms: int = RETENTION_MS

    @classmethod
    def of(cls, own: Mapping[str, int], default: Retention) -> Retention:
        """Return `{"success"?, "error"?}` in milliseconds, with the rest from `default`."""
        return cls(own.get("success", default.success_ms), own.get("error", default.error_ms))


class Definition(Struct, frozen=True):
    """A workflow as configured. `plain_non_retryable`: keep a NonRetryableError's own message.

    concurrency: how many of its instances may run at once; None: no limit of its own. language: of
    its code.
    Source: docs/platform/workflows.md, "NonRetryableError".
    """

    name: str
    class_name: str
    step_limit: int = STEP_LIMIT
    plain_non_retryable: bool = True
    retention: Retention = Retention()
    concurrency: int | None = None
    language: Language = Language.PYTHON
