"""The REST API of a running server, over one HTTP connection.

`http.client` and not httpx: a command should not spend most of its time importing.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from emulator.cli.workflows.access import BASE, Answer, Refused, route
from emulator.errors import EmulatorError
from emulator.state import RunningServer

Json = Any

TIMEOUT_S = 60
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class RemoteApi:
    """An open connection to a server; close it by leaving its `with`."""

    live = True

    def __init__(self, server: RunningServer, timeout_s: int = TIMEOUT_S) -> None:
        self._server = server
        host = _WILDCARDS.get(server.ip, server.ip)
        self._connection = http.client.HTTPConnection(host, server.port, timeout=timeout_s)

    def __enter__(self) -> RemoteApi:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Json = None,
        base: str = BASE,
    ) -> Answer:
        """See `Api`."""
        target = route(base, path) + (f"?{urlencode(query)}" if query else "")
        headers = {"authorization": f"Bearer {self._server.token}"} if self._server.token else {}
        content = None
        if body is not None:
            content = json.dumps(body).encode("ascii")
            headers["content-type"] = "application/json"
        try:
            self._connection.request(method, target, content, headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        return read_answer(response.status, text, self._server.url)

    def _silent(self, error: Exception) -> EmulatorError:
        who = f"pid {self._server.pid}" if self._server.pid else "is groundfog dev running there?"
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return EmulatorError(f"{self._server.url} does not answer ({who}): {reason}")


def read_answer(status: int, text: bytes, who: str) -> Answer:
    """Return what an envelope holds. Raises Refused, or EmulatorError when it is none."""
    try:
        envelope = json.loads(text)
        if envelope["success"]:
            return Answer(envelope["result"], envelope.get("result_info") or {})
        message = str(envelope["errors"][0]["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        said = text[:200].decode("utf-8", "replace").strip()
        raise EmulatorError(
            f"{who} answered HTTP {status} without the Workflows API: {said}\n"
            "  Is it a groundfog dev, and one of this version?"
        ) from None
    raise Refused(status, message)
