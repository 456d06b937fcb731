"""Methods of a worker's entrypoints, called from a test as another worker would call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from groundfog.testing.mocking import decoded, encoded
from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class AsyncRpc:
    """The methods of one entrypoint: `await worker.rpc.add(1, 2)`.

    `of("Admin")` returns those of the class `Admin`.
    """

    def __init__(self, opened: Opened, entrypoint: str = "") -> None:
        self._opened = opened
        self._entrypoint = entrypoint

    def of(self, entrypoint: str) -> AsyncRpc:
        """Return the methods of another class of the worker."""
        return AsyncRpc(self._opened, entrypoint)

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            found = await self._opened.link.asking(
                self._opened.number,
                "invoke",
                entrypoint=self._entrypoint,
                method=method,
                args=encoded(list(args)),
                timeout_ms=self._opened.timeout_ms(None),
            )
            return decoded(found)

        call.__name__ = method
        return call
