"""`env.ANALYTICS.query()`: the stricter dialect of the Analytics SQL API.

Source: docs/platform/analytics-sql.md, "The binding".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bindings.analytics.sql.formats import named
from bindings.analytics.sql.reading import read
from bindings.analytics.sql.tree import InvalidQuery, Name, Operation, Select, Show
from emulator.errors import WorkerError

if TYPE_CHECKING:
    from bindings.analytics.analytics import Datasets

NAMESPACE = "events.analyticsEngine."
_TIME = Name("timestamp")


class AnalyticsSql:
    """One `analytics` binding on `env`."""

    kind = "analytics_sql"

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self.removed = datasets.removed

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `query({query, params})`: `{data, rows, statistics}`. Raises WorkerError."""
        if method != "query":
            raise WorkerError(f'Analytics SQL has no method "{method}"')
        given = args[0] if args and isinstance(args[0], dict) else {}
        query, parameters = given.get("query"), given.get("params")
        if not isinstance(query, str):
            raise WorkerError("query() needs {query, params}", name="TypeError")
        try:
            check(read(query, parameters))
            result = await self._datasets.query(query, parameters, NAMESPACE)
        except InvalidQuery as error:
            raise WorkerError(f"Input was invalid: {error}", code=422) from None
        data = named(result, quoted=False)
        statistics = {"elapsed_ms": result.elapsed_ms, "rows_read": result.rows_read}
        return {"data": data, "rows": len(data), "statistics": {**statistics, "bytes_read": 0}}

    async def close(self) -> None:
        """Close the file, for all datasets."""
        await self._datasets.close()


def check(query: Select | Show) -> None:
    """Raise InvalidQuery for what only this dialect refuses."""
    if isinstance(query, Show):
        raise InvalidQuery("only SELECT is supported")
    if query.format:
        raise InvalidQuery("FORMAT is not supported by the binding")
    if query.orders and query.limit is None:
        raise InvalidQuery("ORDER BY needs LIMIT")
    if isinstance(query.source, Select):
        outer = [query.where, query.groups, query.having, query.orders, query.limit]
        if any(outer) or isinstance(query.source.source, Select):
            raise InvalidQuery("a query of a query can only choose columns")
        check(query.source)
    elif query.source is None:
        raise InvalidQuery("a query needs FROM")
    elif not _has_lower_bound(query.where):
        raise InvalidQuery("the query needs a lower bound of timestamp in WHERE")


def _has_lower_bound(where: Any) -> bool:
    if not isinstance(where, Operation):
        return False
    match where.operator, where.operands:
        case "and", parts:
            return any(_has_lower_bound(part) for part in parts)
        case ">" | ">=" | "between", [first, *_]:
            return bool(first == _TIME)
        case "<" | "<=", [_, last]:
            return bool(last == _TIME)
    return False
