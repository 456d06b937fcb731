from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def add(self, a, b):
        return a + b

    async def fetch(self, request):
        return Response("ready")
