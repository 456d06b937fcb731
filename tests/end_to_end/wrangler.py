"""The real wrangler, with our server in place of Cloudflare's API."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ACCOUNT = "0123456789abcdef0123456789abcdef"


def wrangler_folder() -> Path:
    """Return where wrangler is installed; the test is skipped if that is nowhere."""
    found = os.environ.get("GROUNDFOG_WRANGLER")
    if not found:
        pytest.skip("GROUNDFOG_WRANGLER does not name a folder with wrangler installed")
    return Path(found)


def environment(home: Path) -> dict[str, str]:
    """Return what programs of npm run in: with Node.js, a home of their own, and nobody to ask."""
    return {
        "PATH": f"{os.environ.get('GROUNDFOG_NODE', '')}:{os.environ['PATH']}",
        "HOME": str(home),
        "CI": "1",
        "WRANGLER_SEND_METRICS": "false",
    }


def program(
    name: str, folder: Path, *words: str, timeout_s: int = 60, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Return how a program that was installed beside wrangler ended in a folder: well.

    variables: more for its environment.
    """
    done = subprocess.run(
        [wrangler_folder() / "node_modules/.bin" / name, *words],
        cwd=folder,
        env={**environment(folder), **variables},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def wrangler(
    project: Path, *words: str, server: str = "", timeout_s: int = 60, **variables: str
) -> str:
    """Return what `wrangler WORDS` prints in a folder; `server`: our address, as the API."""
    if server:
        variables |= {
            "CLOUDFLARE_API_BASE_URL": f"{server}/client/v4",
            "CLOUDFLARE_API_TOKEN": "none",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        }
    return program("wrangler", project, *words, timeout_s=timeout_s, **variables).stdout
