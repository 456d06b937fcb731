"""The journal guard in workerd; `python -m tests.typescript.guarding` plays for long."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.wrangler import wrangler_folder
from tests.typescript.guard_stories import violations


def test_no_done_step_runs_again_and_only_code_that_does_not_fit_is_held(tmp_path: Path) -> None:
    wrangler_folder()  # or skip

    assert violations(tmp_path / "project", seed=7, count=25) == []
