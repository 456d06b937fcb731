"""The real wrangler, with our server in place of Cloudflare's API."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ACCOUNT = "0123456789abcdef0123456789abcdef"


def wrangler(project: Path, *words: str, server: str = "") -> str:
    """Return what `wrangler WORDS` prints in a folder; `server`: our address, as the API."""
    folder = os.environ.get("GROUNDFOG_WRANGLER")
    if not folder:
        pytest.skip("GROUNDFOG_WRANGLER does not name a folder with wrangler installed")
    asked = {
        "CLOUDFLARE_API_BASE_URL": f"{server}/client/v4",
        "CLOUDFLARE_API_TOKEN": "none",
        "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
    }
    done = subprocess.run(
        [f"{folder}/node_modules/.bin/wrangler", *words],
        cwd=project,
        env={
            "PATH": f"{os.environ.get('GROUNDFOG_NODE', '')}:{os.environ['PATH']}",
            "HOME": str(project),
            "CI": "1",
            "WRANGLER_SEND_METRICS": "false",
            **(asked if server else {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout
