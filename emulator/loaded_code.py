"""The code of a worker that is loaded at run time: checked, and written as files.

Source: docs/platform/worker-loader.md, "Code".
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from emulator.errors import WorkerError

MODULES_MAX_BYTES = 64 * 1024 * 1024
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_KINDS = ("js", "cjs", "py", "text", "data", "json", "wasm")
_PYTHON_ONLY = "From a Python worker, Groundfog loads Python"
_NOT_HERE = ("tails", "streamingTails")
BINDING = "$binding"  # a member of `env` that is a binding of the loading worker, by its name


class Code(Struct, frozen=True):
    """A worker to load. variables: members of `env` that are values; bindings: names of bindings of
    the worker that loads it, by name. is_cut_off: it reaches no network.
    """

    date: str
    flags: tuple[str, ...]
    main: str
    files: dict[str, bytes]
    variables: dict[str, Any]
    bindings: dict[str, str]
    is_cut_off: bool

    def write(self, folder: Path) -> None:
        """Write its modules below a folder. Raises OSError."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def read_code(given: Any) -> Code:
    """Return `{compatibilityDate, mainModule, modules, env, …}`. Raises WorkerError."""
    if not isinstance(given, dict):
        raise _wrong("The code of a worker must be an object with mainModule and modules.")
    date, main = given.get("compatibilityDate"), given.get("mainModule")
    if not isinstance(date, str) or not _DATE.match(date):
        raise _wrong("compatibilityDate of a loaded worker must be a date such as 2026-04-01.")
    modules = given.get("modules")
    if not isinstance(modules, dict) or not isinstance(main, str) or main not in modules:
        raise _wrong("mainModule of a loaded worker must be the name of one of its modules.")
    files = {_checked_name(name): _content(name, each) for name, each in modules.items()}
    if not main.endswith(".py"):
        raise _wrong(f"{_PYTHON_ONLY}; mainModule {main} does not end in .py.")
    if sum(map(len, files.values())) > MODULES_MAX_BYTES:
        raise _wrong("The modules of a loaded worker are larger than 64 MiB together.")
    for name in _NOT_HERE:
        if given.get(name):
            raise _wrong(f"Groundfog does not emulate {name} of loaded workers.")
    flags = given.get("compatibilityFlags") or []
    env = given.get("env")
    variables, bindings = _read_env({} if env is None else env)
    cut_off = _is_cut_off(given)
    return Code(date, tuple(map(str, flags)), main, files, variables, bindings, cut_off)


def _is_cut_off(given: dict[str, Any]) -> bool:
    if "globalOutbound" not in given:
        return False
    if given["globalOutbound"] is not None:
        raise _wrong("Groundfog emulates globalOutbound only as null: no network.")
    return True


def _checked_name(name: Any) -> str:
    """Return the name of a module, which leads to no place outside its folder."""
    path = PurePosixPath(str(name))
    is_plain = path.parts and not path.is_absolute() and ".." not in path.parts
    if not is_plain or "\\" in str(name) or "\0" in str(name):
        raise _wrong(f"{str(name)!r} cannot be the name of a module of a loaded worker.")
    return str(path)


def _content(name: str, given: Any) -> bytes:
    if isinstance(given, str):
        return given.encode("utf-8", "replace")
    kinds = [kind for kind in _KINDS if isinstance(given, dict) and kind in given]
    if len(kinds) != 1:
        raise _wrong(f"Module {name} must be text, or an object with one of {', '.join(_KINDS)}.")
    value = given[kinds[0]]
    match kinds[0]:
        case "py" | "text" if isinstance(value, str):
            return value.encode("utf-8", "replace")
        case "data" if isinstance(value, bytes | bytearray):
            return bytes(value)
        case "json":
            try:
                return json.dumps(value).encode()
            except (TypeError, ValueError):
                raise _wrong(f"Module {name} cannot be written as JSON.") from None
        case "js" | "cjs" | "wasm":
            raise _wrong(f"{_PYTHON_ONLY}; module {name} is {kinds[0]}.")
    raise _wrong(f"Module {name} has no content of its kind, {kinds[0]}.")


def _read_env(given: Any) -> tuple[dict[str, Any], dict[str, str]]:
    if not isinstance(given, dict):
        raise _wrong("env of a loaded worker must be an object.")
    bindings = {
        name: value[BINDING]
        for name, value in given.items()
        if isinstance(value, dict) and value.keys() == {BINDING}
    }
    variables = {name: value for name, value in given.items() if name not in bindings}
    try:
        json.dumps(variables)
    except (TypeError, ValueError):
        raise _wrong("env of a loaded worker may have JSON and service bindings only.") from None
    return variables, bindings


def _wrong(text: str) -> WorkerError:
    return WorkerError(text, name="TypeError")
