"""Retention: how long finished instances are kept. Pure.

Source: docs/platform/workflows.md, "Retention" and "Limits".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.engine.model.instance import Instance, Status

DAY_MS = 86_400_000
DEFAULT_MS = 7 * DAY_MS  # docs "Limits", paid plan, for workflows created after 2026-09-10
LONGEST_MS = 30 * DAY_MS  # docs "Limits", paid plan


@dataclass(frozen=True, slots=True)
class Retention:
    """How long instances are kept after their end, by whether they succeeded."""

    success_ms: int = DEFAULT_MS
    error_ms: int = DEFAULT_MS

    @classmethod
    def of(cls, own: Mapping[str, int], default: Retention) -> Retention:
        """Return `{"success"?, "error"?}` in milliseconds, with the rest from `default`."""
        return cls(own.get("success", default.success_ms), own.get("error", default.error_ms))

    @classmethod
    def configured(cls, success_ms: int | None, error_ms: int | None) -> Retention:
        """Return a workflow's `default_retention`; None is production's default."""
        return cls(
            DEFAULT_MS if success_ms is None else success_ms,
            DEFAULT_MS if error_ms is None else error_ms,
        )


def expires_ms(instance: Instance, default: Retention) -> int | None:
    """Return when an instance is to be deleted; None while it has not ended.

    What was terminated counts as not succeeded. More than 30 days are taken for 30.
    """
    if not instance.is_terminal or instance.ended_ms is None:
        return None
    kept = Retention.of(instance.retention, default)
    kept_ms = kept.success_ms if instance.status is Status.COMPLETE else kept.error_ms
    return instance.ended_ms + min(kept_ms, LONGEST_MS)
