"""The error tree: what can go wrong, and for whom each message is written.

    EmulatorError                  for the person at the terminal; `str(error)` is all of it
    ├── ConfigError                wrangler.toml and the other files; lists every problem
    ├── StateError                 the state directory: locked, corrupt, newer than this program
    ├── GuestError                 a guest that could not be started, or went away
    └── UsageError                 a command or a request that asks for something impossible
    WorkerError                    for user code: name, message and code exactly as Cloudflare's

A `WorkerError` is sent to the guest and raised there for user code. The others are never sent.
"""

from __future__ import annotations


class EmulatorError(Exception):
    """Something that the person at the terminal must know: what, where, and how to fix it."""


class ConfigError(EmulatorError):
    """The project's configuration cannot be used; the message lists every problem."""


class StateError(EmulatorError):
    """The state directory cannot be used as it is; nothing in it was changed."""


class GuestError(EmulatorError):
    """A guest process could not be started, or ended while it was needed."""


class UsageError(EmulatorError):
    """A command or a request that cannot be done as asked."""


class WorkerError(Exception):
    """An error that user code can catch, with the platform's name and message.

    `name` is the JavaScript error name (`"Error"`, `"TypeError"`, …), `message` its text;
    `code` is the REST error number where the platform has one; `label` is what user code finds as
    `error.code`, such as `"E_FIELD_MISSING"`. `str(error)` is `message`.
    """

    def __init__(
        self, message: str, *, name: str = "Error", code: int | None = None, label: str = ""
    ) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.code = code
        self.label = label
