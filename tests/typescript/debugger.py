"""A debugger that speaks the DevTools protocol (CDP) with the inspector of `groundfog dev`."""

from __future__ import annotations

import contextlib
import json
from types import TracebackType
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.waiting import DEADLINE_S

Message = dict[str, Any]


class Debugger:
    """One attached debugger. `events` are those that nobody has waited for yet."""

    def __init__(self, port: int, **options: Any) -> None:
        self.events: list[Message] = []
        self._number = 0
        self._stack = contextlib.ExitStack()
        address = f"ws://127.0.0.1:{port}/worker"
        self._connection: ClientConnection = self._stack.enter_context(
            connect(address, max_size=None, compression=None, proxy=None, **options)
        )

    def __enter__(self) -> Debugger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def ask(self, method: str, **parameters: Any) -> Message:
        """Return the result of a command."""
        self._number += 1
        self._connection.send(
            json.dumps({"id": self._number, "method": method, "params": parameters})
        )
        while True:
            message = self._next()
            if message.get("id") == self._number:
                found: Message = message["result"]
                return found
            self.events.append(message)

    def event(self, method: str) -> Message:
        """Return the parameters of the next event of this name."""
        while True:
            for index, event in enumerate(self.events):
                if event["method"] == method:
                    found: Message = self.events.pop(index)["params"]
                    return found
            self.events.append(self._next())

    def _next(self) -> Message:
        message: Message = json.loads(self._connection.recv(DEADLINE_S))
        return message
