"""The REST API of a running server over HTTP, with a connection for each request.

`http.client` and not httpx: a command should not spend most of its time importing.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from emulator.answers.workflows import LogEventDetail
from emulator.cli.workflows.api import BASE, Answer, Unreachable, read_answer, route
from emulator.protocol import deep_json
from emulator.state import RunningServer

TIMEOUT_S = 60
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class RemoteApi:
    """A server as an `Api`. find: looks for the server that runs now in its place."""

    live = True

    def __init__(
        self,
        server: RunningServer,
        find: Callable[[], RunningServer | None] = lambda: None,
        timeout_s: int = TIMEOUT_S,
    ) -> None:
        self._server = server
        self._find = find
        self._timeout_s = timeout_s

    def find_again(self) -> None:
        """From now on, ask the server that runs now, if it is another one."""
        self._server = self._find() or self._server

    def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        base: str = BASE,
    ) -> Answer:
        """See `Api`."""
        target = route(base, path) + (f"?{urlencode(query)}" if query else "")
        headers = self._headers()
        content = None
        if body is not None:
            content = deep_json.dumps(body).encode("ascii")
            headers["content-type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        finally:
            connection.close()
        return read_answer(response.status, text, self._server.url)

    def events(self, workflow: str, instance: str, after: int) -> Iterator[LogEventDetail]:
        """See `Api`."""
        path = route(BASE, (workflow, "instances", instance, "subscribe"))
        connection = self._connection()
        try:
            connection.request("GET", f"{path}?cursor={after}&local=true", headers=self._headers())
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                read_answer(response.status, response.read(), self._server.url)
            for line in response:
                if line.startswith(b"data: "):
                    yield deep_json.loads(line.removeprefix(b"data: "))
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._server.token}"} if self._server.token else {}

    def _connection(self) -> http.client.HTTPConnection:
        host, port = _WILDCARDS.get(self._server.ip, self._server.ip), self._server.port
        if self._server.certificate:
            from emulator.cli.pinned import PinnedConnection

            return PinnedConnection(host, port, self._timeout_s, self._server.certificate)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)

    def _silent(self, error: Exception) -> Unreachable:
        who = f"pid {self._server.pid}" if self._server.pid else "is groundfog dev running there?"
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(f"{self._server.url} does not answer ({who}): {reason}")
