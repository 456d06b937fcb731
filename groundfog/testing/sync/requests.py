"""Requests to a worker under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundfog.testing.errors import WorkerError
from groundfog.testing.opened import Opened
from groundfog.testing.response import Response
from groundfog.testing.sending import _UNSET, Sending, sending
from groundfog.testing.sync.streaming import Stream, WebSocket

__tracebackhide__ = True  # pytest shows the line of the test, not ours

_MAX_REDIRECTS = 20


class Requests:
    """What a client asks of a worker."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._link = opened.link

    def fetch(
        self,
        path: str,
        *,
        method: str = "GET",
        json: Any = _UNSET,
        data: Mapping[str, Any] | str | bytes | None = None,
        content: str | bytes | None = None,
        files: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        cookies: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
        raise_worker_errors: bool = True,
        timeout: float | None = None,
    ) -> Response:
        """Send a request to the worker and return its response, read to its end.

        path: `"/orders"`, or a whole address. json, data, content, files, params, headers, cookies:
        as httpx takes them. timeout: seconds of real time.

        Raises WorkerError with the user's traceback when the worker raises; without
        `raise_worker_errors`, the response then has the status 500. Raises WaitTimeout.
        """
        request = sending(
            path,
            method,
            json=json,
            data=data,
            content=content,
            files=files,
            params=params,
            headers=headers,
            cookies=cookies,
        )
        history: list[Response] = []
        while True:
            response = self._fetch_once(request, history, raise_worker_errors, timeout)
            if not (follow_redirects and response.is_redirect) or len(history) >= _MAX_REDIRECTS:
                return response
            history.append(response)
            request = request.redirected(response.status_code, response.headers["location"])

    def get(self, path: str, **options: Any) -> Response:
        """Send a GET request; see `fetch`."""
        return self.fetch(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> Response:
        """Send a POST request; see `fetch`."""
        return self.fetch(path, method="POST", **options)

    def put(self, path: str, **options: Any) -> Response:
        """Send a PUT request; see `fetch`."""
        return self.fetch(path, method="PUT", **options)

    def patch(self, path: str, **options: Any) -> Response:
        """Send a PATCH request; see `fetch`."""
        return self.fetch(path, method="PATCH", **options)

    def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE request; see `fetch`."""
        return self.fetch(path, method="DELETE", **options)

    def _fetch_once(
        self,
        request: Sending,
        history: list[Response],
        raises: bool,
        timeout: float | None,
    ) -> Response:
        args = request.args(self._opened.timeout_ms(timeout))
        try:
            found = self._link.ask(self._opened.number, "fetch", **args)
        except WorkerError as error:
            if raises:
                raise
            found = {
                "status": 500,
                "status_text": "Internal Server Error",
                "headers": [("content-type", "text/plain;charset=UTF-8")],
                "body": str(error).encode(),
            }
        return Response(
            found["status"],
            found["status_text"],
            [(name, value) for name, value in found["headers"]],
            found["body"],
            request.method,
            request.url,
            list(history),
        )

    def stream(
        self, path: str, *, method: str = "GET", timeout: float | None = None, **options: Any
    ) -> Stream:
        """Return a request whose answer is read piece by piece, as a context manager.

        options: the body and headers, as of `fetch`. timeout: for each piece.
        """
        return Stream(
            self._opened, sending(path, method, **options), self._opened.timeout_ms(timeout)
        )

    def websocket(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> WebSocket:
        """Return a WebSocket, as a context manager. Python workers only."""
        self._opened.need_python("worker.websocket")
        wanted = {"upgrade": "websocket", "connection": "Upgrade", **(headers or {})}
        request = sending(path, "GET", headers=wanted)
        return WebSocket(self._opened, request, self._opened.timeout_ms(timeout))

    @property
    def url(self) -> str:
        """An address on this machine, for browsers and other programs; without it, nothing listens.

        Python workers only.
        """
        return str((self._listening())["url"])

    @property
    def token(self) -> str:
        """The token that opens the control routes of `url`."""
        return str((self._listening())["token"])

    def _listening(self) -> dict[str, str]:
        self._opened.need_python("worker.url")
        found: dict[str, str] = self._link.ask(self._opened.number, "url")
        return found

    def wait_until_done(self, *, timeout: float | None = None) -> None:
        """Return when no request is under way, work given to `ctx.waitUntil` included.

        Raises WaitTimeout, which names what is.
        """
        timeout_ms = self._opened.timeout_ms(timeout)
        self._link.ask(self._opened.number, "wait_until_done", timeout_ms=timeout_ms)
