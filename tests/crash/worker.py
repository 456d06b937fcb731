"""The worker under test: plays scripts and writes what it does into the ledger.

What its steps return is drawn in their callbacks and nowhere else, so that no result can be taken
for another. `ledger.py` says what is written.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from tests.crash.ledger import brief, whole
from tests.crash.scripts import BIG_BYTES, UNLIMITED, wrangler
from tests.end_to_end.projects import make_project

MAIN = "src/entry.py"
MARK = "# edited "

WRANGLER = wrangler(MAIN, "2026-04-01", "python_workers")

ENTRY = '''
import asyncio
import json
import os
import time
import uuid
from hashlib import sha256
from typing import Any
from urllib.parse import urlparse

from js import ReadableStream
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint
from workers.workflows import NonRetryableError

TABLE = "CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY)"


def note(what, **more):
    line = {"what": what, "at_ms": time.time_ns() // 1_000_000, **more}
    handle = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, json.dumps(line).encode() + b"\\n")
    os.fsync(handle)
    os.close(handle)


def draw():
    return uuid.uuid4().hex[:16]


def retried(limit):
    return {"retries": {"limit": limit, "delay": 20, "backoff": "constant"}}


PATIENT = retried(UNLIMITED)


def shaped(value, shape):
    if shape == "long":
        return value * (BIG_BYTES // len(value))
    if shape == "bytes":
        return value.encode() * (BIG_BYTES // len(value))
    if shape == "record":
        return {"thumb": b"", "pdf": b"x" * BIG_BYTES, "value": value, "none": None}
    return value


def exits(path, times):
    """Go away, unless that has happened `times` times."""
    with open(path, "ab") as file:
        file.write(b".")
        done = file.tell()
    if done <= times:
        os._exit(3)


async def add_row(env, row):
    await env.DB.exec(TABLE)
    await env.DB.prepare("INSERT OR IGNORE INTO rows VALUES (?)").bind(row).run()
    note("row", row=row)


class Player:
    def __init__(self, env, me, step):
        self.env, self.me, self.step, self.run = env, me, step, draw()

    def note(self, what, act=None, **more):
        site = {} if act is None else {"site": act["site"]}
        note(what, instance=self.me, run=self.run, **site, **more)

    async def play(self, acts, by):
        return [await getattr(self, act["act"])(act, by) for act in acts]

    async def parallel(self, act, by):
        return list(await asyncio.gather(*(self.play(branch, by) for branch in act["branches"])))

    async def see(self, act, by, call):
        try:
            value = brief(await call)
        except Exception as error:
            value = f"!{error}"
        self.note("saw", act, by=by, value=value)
        return value

    async def counted(self, act, by, ctx, body):
        """Run the body of a callback between a line at its start and one at its end."""
        uid = draw()
        self.note("start", act, by=by, uid=uid, attempt=ctx["attempt"])
        try:
            value = await body(uid)
        except Exception as error:
            self.note("end", act, uid=uid, ok=False, value=str(error))
            raise
        self.note("end", act, uid=uid, ok=True, value=brief(value))
        return value

    def undoing(self, act):
        if not act["undo"]:
            return {}

        async def undo(rollback):
            output = None if rollback.output is None else brief(rollback.output)
            self.note("undo", act, value=output)
            await asyncio.sleep(act["ms"] / 1000)

        return {"rollback": undo, "rollback_config": PATIENT}

    async def do(self, act, by):
        @self.step.do(act["name"], config=retried(act["limit"]), **self.undoing(act))
        async def body(ctx):
            return await self.counted(act, by, ctx, lambda uid: self.work(act, ctx, uid))

        return await self.see(act, by, body())

    async def work(self, act, ctx, uid):
        time.sleep(act["busy_ms"] / 1000)
        seen = await self.play(act["inside"], uid)
        await asyncio.sleep(act["ms"] / 1000)
        if act["row"]:
            await add_row(self.env, uid)
        if act.get("child"):
            await self.create(act["child"])
        if act.get("tells"):
            await self.tell(act["tells"], uid)
        if act.get("exits"):
            exits(f"{LEDGER}.{self.me}.{act['site']}", act["exits"])
        if ctx["attempt"] <= act["fails"]:
            raise ValueError(f"not yet {uid}")
        return shaped(f"{uid}-{sha256(repr(seen).encode()).hexdigest()[:8]}", act["shape"])

    async def create(self, child):
        params = {"acts": child["acts"], "raises": False}
        try:
            await self.env.LEAF.create({"id": child["id"], "params": params})
        except Exception as error:
            if "already exists" not in str(error):
                raise
        note("made", instance=child["id"])

    async def tell(self, whom, uid):
        try:
            parent = await self.env.FLOW.get(whom["to"])
            await parent.send_event({"type": whom["type"], "payload": uid})
        except Exception as error:
            if "not_found" in str(error) or "in_finite_state" in str(error):
                return  # the parent has ended, or was deleted
            raise
        note("told", instance=whom["to"], type=whom["type"], value=uid)

    async def stream(self, act, by):
        @self.step.do(act["name"], config=retried(act["limit"]))
        async def body(ctx):
            uid = draw()
            self.note("start", act, by=by, uid=uid, attempt=ctx["attempt"])

            async def pieces():
                for n in range(10):
                    if n == 7 and ctx["attempt"] <= act["fails"]:
                        self.note("end", act, uid=uid, ok=False, value=f"cut off {uid}")
                        raise ValueError(f"cut off {uid}")
                    yield uid.encode() * 5_000
                    await asyncio.sleep(act["ms"] / 10_000)
                self.note("end", act, uid=uid, ok=True, value=uid)

            return ReadableStream(pieces())

        async def read():
            whole = (await (await body()).to_bytes()).decode()
            return whole[:16] if whole == whole[:16] * 50_000 else f"damaged: {brief(whole)}"

        return await self.see(act, by, read())

    async def fatal(self, act, by):
        async def fail(uid):
            raise NonRetryableError(f"fatal {uid}")

        @self.step.do(act["name"], config=PATIENT)
        async def body(ctx):
            return await self.counted(act, by, ctx, fail)

        return await self.see(act, by, body())

    async def sleep(self, act, by):
        return await self.see(act, by, self.step.sleep(act["name"], act["ms"]))

    async def sleep_until(self, act, by):
        until_ms = time.time_ns() // 1_000_000 + act["ms"]
        return await self.see(act, by, self.step.sleep_until(act["name"], until_ms))

    async def event(self, act, by):
        async def payload():
            got = await self.step.wait_for_event(act["name"], act["type"], timeout=act["timeout"])
            return str(got["payload"])

        return await self.see(act, by, payload())

    async def exit(self, act, by):
        exits(f"{LEDGER}.{self.me}", act["times"])


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        script = event["payload"]
        player = Player(self.env, event["instanceId"], step)
        player.note("run")
        output = await player.play(script["acts"], "run")
        if script["raises"]:
            raise ValueError("as the script says")
        player.note("left", value=brief(output))
        return output


class Leaf(Flow):
    pass


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        parts = urlparse(request.url).path.strip("/").split("/")
        match parts:
            case ["create"]:
                await self.env.FLOW.create(json.loads(await request.text()))
            case ["event", instance, event_type, number]:
                event = {"type": event_type, "payload": int(number)}
                await (await self.env.FLOW.get(instance)).send_event(event)
            case ["row", row]:
                await add_row(self.env, row)
            case ["rows"]:
                await self.env.DB.exec(TABLE)
                found = await self.env.DB.prepare("SELECT id FROM rows").all()
                return Response.json([row.id for row in found.results])
            case [("pause" | "resume" | "restart") as operation, instance]:
                await getattr(await self.env.FLOW.get(instance), operation)()
            case ["terminate", instance]:
                await (await self.env.FLOW.get(instance)).terminate()
            case ["delete", instance]:
                await (await self.env.FLOW.get(instance)).delete()
        return Response("done")
'''


def write_project(folder: Path, ledger: str) -> None:
    """Write the worker's project; it writes into the ledger at this path."""
    constants = f"LEDGER = {ledger!r}\nUNLIMITED = {UNLIMITED}\nBIG_BYTES = {BIG_BYTES}\n"
    brief_source = f"{inspect.getsource(brief)}\n\n{inspect.getsource(whole)}"
    make_project(folder, f"{MARK}0\n{constants}{ENTRY}\n\n{brief_source}", WRANGLER)
