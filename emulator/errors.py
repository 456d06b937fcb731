"""The error tree: what can go wrong, for whom it is worded, and with which code.

    EmulatorError                  for the person at the terminal; `str(error)` is the whole message
    ├── ConfigError                wrangler.toml and its friends; carries every problem found
    ├── StateError                 the state directory: locked, corrupt, newer than this program
    ├── GuestError                 a guest that could not be started, or went away
    └── UsageError                 a command line or a request that asks for something impossible
    WorkerError                    for user code: name, message and code exactly as Cloudflare's

A `WorkerError` crosses to the guest and is raised there in front of user code; the others never do.
"""

from __future__ import annotations


class EmulatorError(Exception):
    """Something the person at the terminal must hear: what happened, where, how to fix it."""


class ConfigError(EmulatorError):
    """The project's configuration cannot be used; the message lists every problem."""


class StateError(EmulatorError):
    """The state directory cannot be used as it is; nothing in it was changed."""


class GuestError(EmulatorError):
    """A guest process could not be started, or ended while it was needed."""


class UsageError(EmulatorError):
    """A command or a request that cannot be carried out as asked."""


class WorkerError(Exception):
    """An error user code can catch, named and worded as the platform words it.

    `name` is the JavaScript error name (`"Error"`, `"TypeError"`, …), `message` its text;
    `code` is the REST error number where the platform has one. `str(error)` is `message`.
    """

    def __init__(self, message: str, *, name: str = "Error", code: int | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.code = code
