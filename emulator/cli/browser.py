"""Opens a page in the person's browser, with the program that the desktop has for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable

_OPENERS = ("open",) if sys.platform == "darwin" else ("xdg-open", "wslview")


def open_page(url: str, failed: Callable[[str], None]) -> None:
    """Open a page, without waiting for that. failed: told, in any thread, why it did not open.

    BROWSER, if set, names the program, as for other commands: `firefox`, or `firefox %s`.
    """
    command = _command(url)
    if command is None:
        failed(f"no program that opens a browser was found; the page is {url}")
        return
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it has neither our terminal nor our Ctrl-C
        )
    except OSError as error:
        failed(f"{command[0]} cannot be started ({error.strerror}); the page is {url}")
        return

    def wait() -> None:
        if process.wait():
            failed(f"{command[0]} did not open a browser; the page is {url}")

    threading.Thread(target=wait, name="browser", daemon=True).start()


def _command(url: str) -> list[str] | None:
    chosen = os.environ.get("BROWSER", "").partition(os.pathsep)[0]
    if chosen:
        words = shlex.split(chosen)
        return [word.replace("%s", url) for word in words] if "%s" in chosen else [*words, url]
    opener = next((name for name in _OPENERS if shutil.which(name)), None)
    return None if opener is None else [opener, url]
