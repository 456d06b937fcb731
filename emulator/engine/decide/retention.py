"""Retention: how long ended instances are kept. Pure.

Source: docs/platform/workflows.md, "Retention" and "Limits".
"""

from __future__ import annotations

from emulator.engine.model.definition import RETENTION_MAX_MS, Retention
from emulator.engine.model.instance import Instance, Status


def expires_ms(instance: Instance, default: Retention) -> int | None:
    """Return when an instance expires; None while it has not ended.

    A terminated instance has not succeeded. More than 30 days count as 30.
    """
    if not instance.is_terminal or instance.ended_ms is None:
        return None
    kept = Retention.of(instance.retention, default)
    kept_ms = kept.success_ms if instance.status is Status.COMPLETE else kept.error_ms
    return instance.ended_ms + min(kept_ms, RETENTION_MAX_MS)
