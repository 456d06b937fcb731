"""Whether code fits histories: `groundfog workflows check` as an assertion."""

from __future__ import annotations

import os
import subprocess
import sys

from groundfog.testing.errors import ReplayDiffers


def assert_replays(history: str | os.PathLike[str], project: str | os.PathLike[str] = ".") -> None:
    """Raise ReplayDiffers if the code of a project does not fit what instances have done.

    history: a file of `groundfog workflows instances export`, or of `wrangler workflows instances
    describe --json`, or a folder of them. Nothing is executed.
    """
    command = [sys.executable, "-m", "groundfog", "workflows", "check"]
    done = subprocess.run(
        [*command, "--history", os.path.abspath(history), "--cwd", os.fspath(project)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ReplayDiffers((done.stdout + done.stderr).strip())
