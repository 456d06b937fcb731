"""Calls other workers again and again, and says how long one call took, in microseconds."""

import time
from urllib.parse import urlparse

from workers import Response, WorkerEntrypoint

CALLS = 1_000


class Numbers(WorkerEntrypoint):
    async def add(self, a, b):
        return a + b


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = urlparse(request.url).path.strip("/")
        if not name:
            return Response("ready")
        service = getattr(self.env, name)
        began = time.perf_counter()
        for _ in range(CALLS):
            await service.add(1, 2)
        return Response(f"{(time.perf_counter() - began) / CALLS * 1e6:.1f}")
