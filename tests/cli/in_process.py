"""`groundfog …` in this process: a process of its own takes half a second to start."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner, Result

from emulator.cli.main import cli


def groundfog(folder: Path, *words: str, code: int = 0, text: str = "") -> Result:
    """Run a command in a folder, with a text on its standard input; it must end with `code`."""
    with chdir(folder):
        done = CliRunner().invoke(cli, words, input=text)
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done
