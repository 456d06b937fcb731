"""The face without an event loop is made from the asynchronous one."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "sync_face.py"


def test_the_face_without_an_event_loop_is_up_to_date() -> None:
    made = runpy.run_path(str(SCRIPT))["made"]()

    for path, text in made.items():
        assert path.read_text() == text, "run python scripts/sync_face.py"
    assert set(made) == set((SCRIPT.parents[1] / "groundfog/testing/sync").glob("*.py"))
