"""Bringing a guest's code up: Load, answered by Loaded or LoadFailed."""

from __future__ import annotations

from .message import Json, Message, message

PROTOCOL_VERSION = 1


@message
class Load(Message):
    """Import the user's code. `payload`: `{"vars": {name: value}}` in tagged JSON."""

    type = "load"
    protocol: int
    generation: int
    project_dir: str
    main: str
    compatibility_date: str
    compatibility_flags: list[str]
    bindings: dict[str, Json]
    payload: bytes = b""


@message
class Loaded(Message):
    """The code is imported. `workflows` and `entrypoints`: class name -> `"src/entry.py:12"`.

    `classes` holds every other class the main module defines, for error messages.
    `free_steps`: it can begin steps by itself where RunStart allows it, and answers RunAskFirst.
    """

    type = "loaded"
    entrypoints: dict[str, str]
    workflows: dict[str, str]
    classes: dict[str, str]
    free_steps: bool = False


@message
class LoadFailed(Message):
    """The import raised. `traceback` is the user's own, cut at our frames."""

    type = "load_failed"
    name: str
    message: str
    traceback: str
    file: str = ""
    line: int = 0
