"""The route with which an error page waits for the next load of code: `…/groundfog/loads`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.runner.loads import Loads
from emulator.server.api.envelope import OWN_BASE

WAIT_S = 25.0  # then the page asks again


def loads_routes(loads: Loads) -> list[Route]:
    """Return the route for a worker."""

    async def wait(request: Request) -> Response:
        """GET: 200 once code was loaded another time than `other_than` says; 204 after a while."""
        given = request.query_params.get("other_than", "")
        if not given.isascii() or not given.isdigit() or len(given) > 18:
            return Response(status_code=400)
        try:
            async with asyncio.timeout(WAIT_S):
                await loads.other_than(int(given))
        except TimeoutError:
            return Response(status_code=204)
        return JSONResponse({"loads": loads.count})

    return [Route(f"{OWN_BASE}/loads", wait, methods=["GET"])]
