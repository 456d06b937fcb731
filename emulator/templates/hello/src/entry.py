"""A worker that greets: `GET /?name=Ada`."""

from urllib.parse import parse_qs, urlparse

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        query = parse_qs(urlparse(request.url).query)
        name = query.get("name", ["world"])[0]
        return Response.json({"message": f"{self.env.GREETING}, {name}!"})
