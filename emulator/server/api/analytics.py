"""The SQL API of Analytics Engine over HTTP. Source: docs/platform/analytics-sql.md, "The API"."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from emulator.errors import WorkerError
from emulator.kinds.analytics_engine import KIND, DatasetRecord
from emulator.server.api.bases import V4
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.analytics.analytics import Dataset

QUERY_MAX_BYTES = 1024 * 1024


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    path = f"{V4}/analytics_engine/sql"
    return [Route(path, partial(_query, worker), methods=["GET", "POST"])]


async def _query(worker: Worker, request: Request) -> Response:
    """POST with a query as the body, or GET ?query=: the rows in the format that it names."""
    from bindings.analytics.sql.formats import written
    from bindings.analytics.sql.tree import InvalidQuery

    body = await request.body()
    if len(body) > QUERY_MAX_BYTES:
        return PlainTextResponse("Input was invalid: the query is too large\n", 422)
    query = request.query_params.get("query") or body.decode("utf-8", "replace")
    dataset = cast("Dataset", worker.opened(KIND, DatasetRecord("")))
    try:
        text, media_type = written(await dataset.datasets.query(query))
    except InvalidQuery as error:
        return PlainTextResponse(f"Input was invalid: {error}\n", 422)
    except WorkerError as error:
        return PlainTextResponse(f"{error.message}\n", 500)
    return Response(text, media_type=media_type)
