"""Bringing a guest's code up: Load, answered by Loaded or LoadFailed."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from .message import Message, message

PROTOCOL_VERSION = 2
NETWORK = ""  # what answers requests of the code, as if it were a binding of this name
CRYPTO = ":crypto"  # what answers `crypto.subtle` of the code, as if it were a binding of this name
TAILS = ":tails"  # what is told what events did, as if it were a binding of this name
EMAILS = (
    ":email"  # what does what an `email` handler asks for, as if it were a binding of this name
)
STUBS = ":stubs"  # what calls functions of other guests, as if it were a binding of this name
_NOT_ON_ENV = {NETWORK: "", CRYPTO: "crypto.subtle."}
OTHER_VERSION = "ProtocolVersionError"  # name in LoadFailed: host and guest differ


def called(binding: str, method: str) -> str:
    """Return a call as user code has written it: `env.DB.exec()`, `fetch()`."""
    return f"{_NOT_ON_ENV.get(binding, f'env.{binding}.')}{method}()"


@message
class Load(Message):
    """host -> guest: load the user's code."""

    type = "load"
    protocol: int
    generation: int
    project_dir: str
    main: str
    compatibility_date: str
    compatibility_flags: list[str]
    bindings: dict[str, Any]
    asks_network: bool = False
    allowed_hosts: list[str] = field(default_factory=list)
    debug: bool = False
    address: str = ""
    deployed_files: list[str] = field(default_factory=list)
    clock_ahead_ms: int = 0
    traced: bool = False
    payload: bytes = b""


@message
class Loaded(Message):
    """guest -> host: the code is loaded."""

    type = "loaded"
    entrypoints: dict[str, str]
    workflows: dict[str, str]
    classes: dict[str, str]
    free_steps: bool = False
    protocol: int = 1
    objects: dict[str, str] = field(default_factory=dict)


@message
class LoadFailed(Message):
    """guest -> host: the code could not be loaded."""

    type = "load_failed"
    name: str
    message: str
    traceback: str
    file: str = ""
    line: int = 0
