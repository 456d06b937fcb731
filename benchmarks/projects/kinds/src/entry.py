"""One route for each figure of `benchmarks/kinds.py`."""

from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint

SMALL = "x" * 100
MEDIUM = b"m" * 65_536
count = 0
handled = 0


class Counter(DurableObject):
    async def increment(self):
        value = (await self.ctx.storage.get("value") or 0) + 1
        await self.ctx.storage.put("value", value)
        return value


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        global count
        env = self.env
        match urlsplit(request.url).path:
            case "/plain":
                return Response(SMALL)
            case "/kv-get":
                return Response(await env.KV.get("key"))
            case "/kv-put":
                count += 1
                await env.KV.put(f"key-{count}", SMALL)
                return Response("ok")
            case "/r2-get":
                found = await env.R2.get("medium")
                return Response(found.body)
            case "/r2-large":
                found = await env.R2.get("large")
                return Response(found.body)
            case "/object-one":
                return Response(str(await env.COUNTERS.getByName("one").increment()))
            case "/object-many":
                count += 1
                counter = env.COUNTERS.getByName(str(count % 100))
                return Response(str(await counter.increment()))
            case "/queue-send":
                await env.SENT.send(SMALL)
                return Response("ok")
            case "/queue-fill":
                for _ in range(50):
                    await env.JOBS.sendBatch([{"body": n} for n in range(100)])
                return Response("ok")
            case "/queue-handled":
                return Response(str(handled))
            case "/large":
                await env.R2.put("large", request.body)
                return Response("ok")
        await env.KV.put("key", SMALL)
        await env.R2.put("medium", MEDIUM)
        return Response("ready")

    async def queue(self, batch, env, ctx):
        global handled
        handled += len(batch.messages)
