"""The TypeScript sample: its README as a newcomer follows it, its types, wrangler's dry run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.test_sample import Tour, commands, readme_blocks
from tests.end_to_end.wrangler import environment
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


@pytest.mark.wrangler
def test_the_sample_passes_the_strict_checks_of_typescript(sample: Path, tmp_path: Path) -> None:
    program = sample / "node_modules" / ".bin" / "tsc"
    if not program.exists():
        pytest.skip("GROUNDFOG_WRANGLER names a folder without typescript")

    found = subprocess.run(
        [program, "--noEmit", "--strict"],
        cwd=sample,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.wrangler
def test_the_sample_passes_wranglers_own_dry_run(sample: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [sample / "node_modules/.bin/wrangler", "deploy", "--dry-run", "--outdir", "out"],
        cwd=sample,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert found.returncode == 0, found.stdout + found.stderr
    assert "WARNING" not in found.stdout + found.stderr
