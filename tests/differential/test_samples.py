"""The samples, as wrangler and TypeScript judge them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.wrangler import program, wrangler_folder

pytestmark = pytest.mark.wrangler


@pytest.fixture(params=["brief-analysis", "brief-analysis-ts"])
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a sample, with the packages that `npm install` would bring."""
    ignored = shutil.ignore_patterns(".groundfog", "__pycache__", ".wrangler")
    folder = Path(shutil.copytree(FIXTURES / request.param, tmp_path / "p", ignore=ignored))
    if (folder / "package.json").exists():
        (folder / "node_modules").symlink_to(wrangler_folder() / "node_modules")
    return folder


def test_the_sample_passes_wranglers_own_dry_run(sample: Path) -> None:
    done = program("wrangler", sample, "deploy", "--dry-run", "--outdir", "out", timeout_s=120)
    assert "WARNING" not in done.stdout + done.stderr
    assert "brief-analysis" in done.stdout


@pytest.mark.parametrize("sample", ["brief-analysis-ts"], indirect=True)
def test_the_sample_passes_the_strict_checks_of_typescript(sample: Path) -> None:
    if not (wrangler_folder() / "node_modules" / "typescript").exists():
        pytest.skip("GROUNDFOG_WRANGLER names a folder without typescript")
    program("tsc", sample, "--noEmit", "--strict", timeout_s=120)
