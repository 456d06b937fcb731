"""The worker under test: interprets a script and writes what it does into a ledger.

The ledger is a file of JSON lines outside Groundfog's reach, appended to from inside the steps:
`ran` when a step's body begins, `undid` when a rollback handler does, `saw` when `run()` gets a
step's result, replays included.
"""

from __future__ import annotations

from pathlib import Path

from tests.crash.scripts import UNLIMITED
from tests.end_to_end.projects import make_project

ENTRY = """
import asyncio, json, os, time, uuid
from urllib.parse import urlparse, parse_qs
from js import ReadableStream
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint
from workers.workflows import NonRetryableError

LEDGER = {ledger!r}


def retried(limit):
    return {{"retries": {{"limit": limit, "delay": 20, "backoff": "constant"}}}}


PATIENT = retried({unlimited})


def note(what, instance, step, **more):
    line = {{"what": what, "instance": instance, "step": step, **more}}
    line["at_ms"] = time.time_ns() // 1_000_000
    handle = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, json.dumps(line).encode() + b"\\n")
    os.close(handle)


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        script = event["payload"]
        output = await self.play(event["instanceId"], step, script["acts"])
        if script["raises"]:
            raise ValueError("as the script says")
        return output

    async def play(self, me, step, acts):
        return [await getattr(self, act["act"])(me, step, act) for act in acts]

    def handler(self, me, act):
        async def undo(rollback):
            name = rollback.ctx.step.name
            note("undid", me, name, value=rollback.output)
            await asyncio.sleep(act["ms"] / 1000)

        options = {{"rollback": undo, "rollback_config": PATIENT}}
        return options if act["undo"] else {{}}

    async def nested(self, me, step, act):
        return await self.work(me, step, act, nested=True)

    async def work(self, me, step, act, nested=False):
        name = act["name"]

        @step.do(name, config=retried(act["limit"]), **self.handler(me, act))
        async def body(ctx):
            value = uuid.uuid4().hex
            note("ran", me, name, attempt=ctx["attempt"], value=value)
            if nested:
                inner = f"{{name}}.in{{ctx['attempt']}}"

                @step.do(inner, config=PATIENT)
                async def within(ctx):
                    value = uuid.uuid4().hex
                    note("ran", me, inner, attempt=ctx["attempt"], value=value)
                    return value

                note("saw", me, inner, value=await within())
            await asyncio.sleep(act["ms"] / 1000)
            if ctx["attempt"] <= act["fails"]:
                raise ValueError("not yet")
            return value

        try:
            note("saw", me, name, value=await body())
        except Exception as error:  # no retry is left
            note("saw", me, name, value=str(error).partition(": ")[2])
        return name

    async def stream(self, me, step, act):
        name = act["name"]

        @step.do(name, config=retried(act["limit"]))
        async def body(ctx):
            value = uuid.uuid4().hex
            note("ran", me, name, attempt=ctx["attempt"], value=value)

            async def pieces():
                for n in range(10):
                    if n == 7 and ctx["attempt"] <= act["fails"]:
                        raise ValueError("cut off")
                    yield value.encode() * 2_500
                    await asyncio.sleep(act["ms"] / 10_000)

            return ReadableStream(pieces())

        try:
            output = await body()
        except Exception as error:  # no retry is left
            note("saw", me, name, value=str(error).partition(": ")[2])
            return name
        whole = (await output.to_bytes()).decode()
        value = whole[:32]
        note("saw", me, name, value=value if whole == value * 25_000 else "damaged")
        return name

    async def fatal(self, me, step, act):
        name = act["name"]

        @step.do(name, config=PATIENT)
        async def body(ctx):
            note("ran", me, name, attempt=ctx["attempt"], value="")
            raise NonRetryableError(name)

        try:
            await body()
        except Exception as error:
            note("saw", me, name, value=str(error))
            return name

    async def sleep(self, me, step, act):
        await step.sleep(act["name"], act["ms"])
        return act["name"]

    async def event(self, me, step, act):
        got = await step.wait_for_event(act["name"], act["type"], timeout="1 hour")
        note("saw", me, act["name"], value=got["payload"])
        return act["name"]

    async def parallel(self, me, step, act):
        branches = [self.play(me, step, branch) for branch in act["branches"]]
        return list(await asyncio.gather(*branches))


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlparse(request.url)
        parts = url.path.strip("/").split("/")
        if parts[0] == "create":
            instance = await self.env.FLOW.create(json.loads(await request.text()))
            return Response(instance.id)
        if parts[0] == "event":
            instance = await self.env.FLOW.get(parts[1])
            await instance.send_event({{"type": parts[2], "payload": int(parts[3])}})
            return Response("sent")
        found = {{}}
        for name in parse_qs(url.query).get("id", []):
            found[name] = (await (await self.env.FLOW.get(name)).status())["status"]
        return Response.json(found)
"""


def write_project(folder: Path, ledger: Path, durability: str) -> Path:
    """Write the worker's project; return its folder."""
    project = make_project(folder, ENTRY.format(ledger=str(ledger), unlimited=UNLIMITED))
    settings = f'[engine]\ndurability = "{durability}"\n'
    (project / "groundfog.toml").write_text(settings, encoding="utf-8")
    return project
