"""The client that queries data points. Source: docs/platform/analytics-sql.md, "The binding"."""

from __future__ import annotations

from typing import Any

from ..calls import Answer
from .binding import _BindingWrapper


class AnalyticsSQL(_BindingWrapper):
    """The data points of all datasets."""

    def query(self, /, *request: Any, **keywords: Any) -> Answer:
        """Run `{query, params}`; return `{data, rows, statistics}`."""
        return self._call("query", *self._options("query", request, keywords))


CLIENT = AnalyticsSQL
