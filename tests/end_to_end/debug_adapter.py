"""An editor, as a debug adapter sees it: the debug adapter protocol over a socket.

Source: https://microsoft.github.io/debug-adapter-protocol/specification
"""

from __future__ import annotations

import json
import socket
import threading
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.waiting import DEADLINE_S, eventually


class Editor:
    """One session, attached, with breakpoints in one file."""

    def __init__(self, port: int, file: Path, *lines: int) -> None:
        self.has_ended = False
        self._socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self._numbers = count(1)
        self._heard: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.ask("initialize", adapterID="groundfog", pathFormat="path")
        self._send("attach", justMyCode=True, subProcess=False)
        self.event("initialized")
        breakpoints = [{"line": line} for line in lines]
        self.ask("setBreakpoints", source={"path": str(file)}, breakpoints=breakpoints)
        self.ask("configurationDone")

    def __enter__(self) -> Editor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request; return the body of its answer."""
        number = self._send(command, **arguments)

        def answer() -> dict[str, Any] | None:
            return next((m for m in self._heard if m.get("request_seq") == number), None)

        found = eventually(answer)
        assert found["success"], found
        return dict(found.get("body", {}))

    def event(self, name: str) -> dict[str, Any]:
        """Return the body of the next event of this name, and forget it."""
        found = eventually(lambda: next((m for m in self._heard if m.get("event") == name), None))
        self._heard.remove(found)
        return dict(found.get("body", {}))

    def stopped_in(self) -> tuple[str, int, int]:
        """Wait until code stops; return the function, the line and the thread."""
        thread = self.event("stopped")["threadId"]
        frame = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
        return frame["name"], frame["line"], thread

    def _send(self, command: str, **arguments: Any) -> int:
        number = next(self._numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return number

    def _read(self) -> None:
        with self._socket.makefile("rb") as stream:
            try:
                while header := stream.readline():
                    length = int(header.split(b":")[1])
                    stream.readline()
                    self._heard.append(json.loads(stream.read(length)))
            except (OSError, ValueError):
                pass
        self.has_ended = True
