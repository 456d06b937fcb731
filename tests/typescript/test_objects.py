"""Durable Objects of other workers: Python calls TypeScript, TypeScript calls both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.projects import edit
from tests.typescript.projects import dev, project

ROOMS = """
[[durable_objects.bindings]]
name = "OWN"
class_name = "Room"

[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
script_name = "{script}"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
"""
TYPESCRIPT = """
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  async increment(by = 1) {
    const value = ((await this.ctx.storage.get<number>("value")) ?? 0) + by;
    await this.ctx.storage.put("value", value);
    return value;
  }
  who() { return [this.ctx.id.name ?? null, String(this.ctx.id)]; }
  boom() { throw new RangeError("no room"); }
  async apply(call: any, x: number) { return await call(x); }
  adder(n: number) { return (x: number) => x + n; }
  async size(stream: ReadableStream) { return (await new Response(stream).text()).length; }
  async fetch(request: Request) {
    return Response.json([request.method, request.url, await request.text(), "ts"]);
  }
}

const told = (error: Error) => `${error.name}: ${error.message}`;

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const room = env.ROOMS.getByName("a b");
    const id = env.ROOMS.idFromName("a b");
    const [same, other] = [env.ROOMS.get(id), env.ROOMS.get(env.ROOMS.newUniqueId())];
    const answer = await room.fetch("http://room/x?y=1", { method: "POST", body: "tea" });
    let refused = "";
    try {
      env.ROOMS.idFromString("x");
    } catch (error) {
      refused = told(error as Error);
    }
    return Response.json({
      values: [await room.increment(), await same.increment(5), await other.increment()],
      own: await env.OWN.getByName("a b").increment(100),
      who: [await room.who(), [room.name, String(room.id)]],
      error: await room.boom().catch(told),
      functions: [await room.apply((x: number) => x + 1, 41), await (await room.adder(5))(6)],
      size: await room.size(new Response("12345").body),
      fetch: await answer.json(),
      refused,
    });
  },
};
"""
PYTHON_TOML = """
name = "python"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
"""
PYTHON = """
from workers import DurableObject, Response, WorkerEntrypoint


class Room(DurableObject):
    async def increment(self, by=1):
        value = (await self.ctx.storage.get("value") or 0) + by
        await self.ctx.storage.put("value", value)
        return value

    async def who(self):
        return [self.ctx.id.name, str(self.ctx.id)]

    async def boom(self):
        raise RangeError("no room")

    async def apply(self, call, x):
        return await call(x)

    async def adder(self, n):
        return lambda x: x + n

    async def size(self, stream):
        return sum([len(bytes(piece)) async for piece in stream])

    async def fetch(self, request):
        return Response.json([request.method, request.url, await request.text(), "py"])


class RangeError(Exception):
    pass


def told(error):
    return str(error)


async def error_of(answer):
    try:
        await answer
    except Exception as error:
        return told(error)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        rooms = self.env.ROOMS
        room, id = rooms.getByName("a b"), rooms.idFromName("a b")
        other = rooms.get(rooms.newUniqueId())
        answer = await room.fetch("http://room/x?y=1", method="POST", body="tea")
        try:
            rooms.idFromString("x")
        except Exception as error:
            refused = told(error)
        return Response.json({
            "values": [await room.increment(), await rooms.get(id).increment(5),
                       await other.increment()],
            "own": await self.env.OWN.getByName("a b").increment(100),
            "who": [await room.who(), [room.name, str(room.id)]],
            "error": await error_of(room.boom()),
            "functions": [await room.apply(lambda x: x + 1, 41), await (await room.adder(5))(6)],
            "size": await room.size(Response("12345").body),
            "fetch": await answer.json(),
            "refused": refused,
        })
"""


def python(folder: Path, script: str) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(PYTHON_TOML + ROOMS.format(script=script))
    (folder / "src" / "entry.py").write_text(PYTHON)
    return folder


def typescript(folder: Path, script: str, name: str = "under-test") -> Path:
    made = project(folder, TYPESCRIPT, ROOMS.format(script=script))
    edit(made, "under-test", name, "wrangler.toml")
    return made


@pytest.mark.parametrize("callee", ["py", "ts"])
def test_objects_are_called_from_another_language(tmp_path: Path, callee: str) -> None:
    one, other = python(tmp_path / "py", "under-test"), typescript(tmp_path / "ts", "python")
    caller, called = (other, one) if callee == "py" else (one, other)
    check(caller, called, callee)


def test_a_typescript_worker_calls_objects_of_another_one(tmp_path: Path) -> None:
    other = typescript(tmp_path / "other", "under-test", "other")
    check(typescript(tmp_path / "ts", "other"), other, "ts")


def check(caller: Path, called: Path, callee: str) -> None:
    with dev(caller, str(called)) as server:
        found = server.get("/").json()
        again = server.get("/").json()
    who = found.pop("who")
    assert who[0] == who[1] and who[0][0] == "a b" and len(who[0][1]) == 64
    assert "no room" in found.pop("error")
    assert "must be 64 hex digits" in found.pop("refused")
    assert found == {
        "values": [1, 6, 1],
        "own": 100,
        "functions": [42, 11],
        "size": 5,
        "fetch": ["POST", "http://room/x?y=1", "tea", callee],
    }
    assert again["values"] == [7, 12, 1]
