"""Reads a configuration file's text, and says plainly why it cannot be read.

Owns bytes -> text for every file of this layer: encodings, byte order marks, line ends.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from emulator.config.problems import Fault

FILE_MAX_BYTES = 8 * 1024 * 1024  # far above any real file; a log given by mistake is refused

_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text(path: Path) -> str:
    """Return the file's text with line ends as `\\n` and no byte order mark.

    Raises Fault for a file that is missing, a directory, unreadable, too large or not UTF-8.
    A UTF-8 mark is dropped, any other mark is refused.
    Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workers-utils/src/parse.ts
    (readFileSync).
    """
    content = _read_bytes(path)
    for mark, encoding in _OTHER_MARKS.items():
        if content.startswith(mark):
            raise Fault(f"the file is encoded as {encoding}; expected UTF-8", "Save it as UTF-8.")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x} is not UTF-8; expected a UTF-8 text file"
        raise Fault(found, "Save the file as UTF-8.", line=line) from None
    return text.replace("\r\n", "\n")


def is_file(path: Path) -> bool:
    """Return whether `path` is a file; False too when the name itself is impossible."""
    return os.path.isfile(path)


def shown_path(path: Path, start_dir: Path) -> str:
    """Return `path` as the person at the terminal would type it in `start_dir`."""
    try:
        relative = os.path.relpath(path, start_dir)
    except ValueError:  # another drive on Windows
        return str(path)
    return relative if len(relative) <= len(str(path)) else str(path)


def _read_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise Fault("is a directory; expected a file")
        if path.exists() and not path.is_file():
            raise Fault("is not a regular file; expected a text file")
        if path.stat().st_size > FILE_MAX_BYTES:
            raise Fault(f"the file is larger than {FILE_MAX_BYTES >> 20} MiB; expected a text file")
        return path.read_bytes()
    except FileNotFoundError:
        raise Fault("no such file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Fault(f"the file cannot be read: {reason}", "Check its permissions.") from None
    except ValueError:
        raise Fault("the path holds a character no file name can have") from None
