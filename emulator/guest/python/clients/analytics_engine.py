"""The Analytics Engine client. Source: docs/platform/small-bindings.md, "Analytics Engine"."""

from __future__ import annotations

import asyncio
from typing import Any

from .. import scope, tracebacks
from ..calls import Answer
from .binding import _BindingWrapper


class AnalyticsEngineDataset(_BindingWrapper):
    """A dataset to write to."""

    def writeDataPoint(self, /, *point: Any, **keywords: Any) -> None:
        """Write a data point `{blobs, doubles, indexes}`; nobody waits for it.

        What is wrong with it is told in the terminal.
        """
        written = self._call("writeDataPoint", *self._options("writeDataPoint", point, keywords))
        scope.current().wait_until(asyncio.ensure_future(_told(written)))


async def _told(written: Answer) -> None:
    try:
        await written
    except Exception as error:
        tracebacks.print_error(error)


CLIENT = AnalyticsEngineDataset
