"""The TypeScript sample: its README as a newcomer follows it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.test_sample import Tour, commands, readme_blocks
from tests.typescript.projects import tools

SAMPLE = "brief-analysis-ts"

__all__ = ["commands"]  # a fixture


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the sample, with the packages that `npm install` would bring."""
    folder = tmp_path / SAMPLE
    shutil.copytree(FIXTURES / SAMPLE, folder, ignore=shutil.ignore_patterns(".groundfog"))
    (folder / "node_modules").symlink_to(Path(tools()) / "node_modules")
    return folder


@pytest.fixture
def tour(sample: Path, commands: Path) -> Iterator[Tour]:
    """The tour in a fresh copy of the sample."""
    made = Tour(sample, commands)
    yield made
    for server in made.servers:
        if server.poll() is None:
            server.terminate()
        server.wait(20)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README uses curl")
def test_every_command_of_the_readme_works_in_order(tour: Tour) -> None:
    printed = [tour.run(block) for block in readme_blocks(SAMPLE)]

    everything = "\n".join(printed)
    assert '{"users":3,"projects":8,"skills":54}' in everything
    assert "was already submitted" in everything
    assert "Good news about your brief" in everything
    last_activity = printed[-1]
    assert last_activity.count('"step": "send-notification"') == 1
    assert last_activity.count('"step": "classify-intent"') == 1
