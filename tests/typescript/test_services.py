"""Service bindings of TypeScript workers: to themselves, to others, to and from Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.end_to_end.projects import FIXTURES, edit
from tests.typescript.projects import dev, project

MORE = """
[[services]]
binding = "MATH"
service = "under-test"
entrypoint = "Numbers"
props = { scale = 10 }

[[services]]
binding = "SELF"
service = "under-test"

[[durable_objects.bindings]]
name = "RING"
class_name = "Ring"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Ring"]
"""

INDEX = """
import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

class Counter extends RpcTarget {
  #count = 0;
  increase() { return ++this.#count; }
}

export class Numbers extends WorkerEntrypoint {
  scaled(x: number) { return x * (this.ctx as any).props.scale; }
  counter() { return new Counter(); }
  async apply(call: any, x: number) { return await call(x); }
  boom() { throw new RangeError("too much"); }
  around(): Promise<number> { return (this.env as any).MATH.around(); }
  twice(x: number) { return this.apply((y: number) => 2 * y, x); }
}

export class Ring extends DurableObject<any> {
  next(name: string): Promise<string> {
    console.log(`at ${name}`);
    return this.env.RING.get(this.env.RING.idFromName(name)).next(name === "a" ? "b" : "a");
  }
}

export default {
  async fetch(request: Request, env: any, ctx: any): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/inner") return new Response(request.method);
    if (pathname === "/boom") throw new RangeError("out of tea");
    if (pathname === "/circle") return env.SELF.fetch(request);
    const boom = await env.SELF.fetch("http://x/boom").catch((error: Error) => error.message);
    const circle = await env.SELF.fetch("http://x/circle").catch((error: Error) => error.message);
    const inner = await env.SELF.fetch("http://x/inner", { method: "POST" });
    return Response.json([
      await env.MATH.scaled(2),
      await env.MATH.counter().increase(),
      await env.MATH.apply((x: number) => x + 1, 41),
      await env.MATH.boom().catch((error: Error) => `${error.name}: ${error.message}`),
      await inner.text(),
      await ctx.exports.Numbers.apply((x: number) => -x, 1),
      await env.MATH.twice(4),
      boom,
      circle,
      await env.MATH.around().catch((error: Error) => error.message),
      await env.RING.get(env.RING.idFromName("a")).next("b").catch((error: Error) => error.message),
    ]);
  },
};
"""


def test_a_worker_calls_itself(tmp_path: Path) -> None:
    with dev(project(tmp_path / "worker", INDEX, MORE)) as server:
        *found, boom, of_fetch, of_methods, of_objects = server.get("/").json()
        assert found == [20, 1, 42, "RangeError: too much", "POST", -1, 8]
        assert boom == "out of tea"
        for circle in (of_fetch, of_methods, of_objects):
            assert circle.startswith("More than 1000 calls of this worker to itself")
        server.wait_for(r"Ring\.next\(\) \| at a")
        assert server.get("/inner").text == "GET"


def test_the_sample_asks_a_worker_in_another_language(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "services", tmp_path / "services")
    with dev(folder / "shop", str(folder / "stock")) as server:
        assert server.get("/stock/tea").text == "7 left, worth 35 USD"
        assert server.get("/stock").json() == {"tea": 7, "cup": 0}
        identifier = server.get("/reorder/tea").text
        server.wait_for(rf"\[shop\] workflow reorder {identifier[:8]}: complete")
        edit(folder / "stock", "tea: 7", "tea: 8", "src/index.ts")
        server.wait_for(r"\[stock\] reloaded")
        assert server.get("/stock/tea").text == "8 left, worth 40 USD"


CALLEE = """
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

class Counter extends RpcTarget {
  #count = 0;
  increase(by = 1) { return (this.#count += by); }
}

export class Numbers extends WorkerEntrypoint<any> {
  secret = 5;
  scaled(x: number) { return x * (this.ctx as any).props.scale; }
  counter() { return new Counter(); }
  kinds(...given: any[]) {
    return given.map((each) => Object.prototype.toString.call(each).slice(8, -1));
  }
  async apply(call: any, x: number) { return await call(x); }
  adder(n: number) { return (x: number) => x + n; }
  boom() { throw new RangeError("too much"); }
  pieces() { return new Response("in pieces").body; }
  async size(stream: ReadableStream) { return (await new Response(stream).text()).length; }
  circle() { return this.env.CALLER.circle(); }
}

export default {
  add(a: number) { return a + 1; },
  async fetch(request: Request): Promise<Response> {
    if (request.url.endsWith("/echo")) return new Response(request.body);
    if (request.headers.get("upgrade") === "websocket") {
      if (request.url.endsWith("/declined")) return new Response("not here", { status: 403 });
      const [client, socket] = Object.values(new WebSocketPair());
      socket.binaryType = "arraybuffer";
      socket.accept();
      socket.addEventListener("message", ({ data }) => {
        if (data === "bye") socket.close(4001, "gone");
        else socket.send(typeof data === "string" ? `${request.method} ${data}` : data);
      });
      return new Response(null, { status: 101, webSocket: client });
    }
    const { method, url, headers } = request;
    const text = `${method} ${url} ${await request.text()} ${headers.get("x-a")}`;
    return new Response(text, { status: 201, headers: { "x-b": "2" } });
  },
};
"""

CALLER = """
import { WorkerEntrypoint } from "cloudflare:workers";

async function write(writer: WritableStreamDefaultWriter) {
  await writer.write(new TextEncoder().encode("one, "));
  await writer.write(new TextEncoder().encode("two"));
  await writer.close();
}

const told = (error: Error) => `${error.name}: ${error.message}`;
const UPGRADE = { headers: { Upgrade: "websocket" } };

async function conversation(callee: Fetcher): Promise<unknown[]> {
  const socket = (await callee.fetch("http://x/socket", UPGRADE)).webSocket!;
  const heard: unknown[] = [];
  const closed = new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      heard.push(typeof data === "string" ? data : [...new Uint8Array(data as ArrayBuffer)]);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      heard.push(code, reason);
      resolve();
    });
  });
  socket.binaryType = "arraybuffer";
  socket.accept();
  socket.send("tea");
  socket.send(new Uint8Array([1, 2]));
  socket.send("bye");
  await closed;
  const declined = await callee.fetch("http://x/declined", UPGRADE);
  return [...heard, declined.status, await declined.text()];
}

export default class extends WorkerEntrypoint<any> {
  circle() { return this.env.NUMBERS.circle(); }

  async fetch(request: Request): Promise<Response> {
    const { NUMBERS: numbers, CALLEE: callee, GONE: gone } = this.env;
    if (request.headers.has("upgrade")) return callee.fetch(request);
    const counter = await numbers.counter();
    const init = { method: "POST", body: "tea", headers: { "x-a": "1" } };
    const answer = await callee.fetch("https://x.test/inner?q=1", init);
    const { readable, writable } = new IdentityTransformStream();
    const writing = write(writable.getWriter());
    const echoed = await callee.fetch("http://x/echo", { method: "POST", body: readable });
    const heard = await echoed.text();
    await writing;
    const given = [1n, new Date(), new Map(), new Error("x"), [], undefined, () => 1];
    return Response.json({
      scaled: await numbers.scaled(2),
      kinds: await numbers.kinds(...given),
      counter: [await counter.increase(), await counter.increase(5)],
      pipelined: await numbers.counter().increase(7),
      functions: [await numbers.apply((x: number) => x + 1, 41), await (await numbers.adder(5))(6)],
      stream: await new Response(await numbers.pieces()).text(),
      size: await numbers.size(new Response("12345").body),
      errors: [
        await numbers.boom().catch(told),
        await numbers.absent().catch(told),
        await numbers.secret().catch(told),
        await numbers.alarm().catch(told),
        await gone.add(1).catch(told),
        await gone.fetch("http://x").catch(told),
        await numbers.circle().catch(told),
      ].map((text) => text.slice(0, 60)),
      object: await callee.add(1),
      heard,
      socket: await conversation(callee),
      fetch: [answer.status, await answer.text(), answer.headers.get("x-b")],
    });
  }
}
"""


def test_two_of_them_call_each_other(tmp_path: Path) -> None:
    services = """
    [[services]]
    binding = "NUMBERS"
    service = "callee"
    entrypoint = "Numbers"
    props = { scale = 10 }

    [[services]]
    binding = "CALLEE"
    service = "callee"

    [[services]]
    binding = "GONE"
    service = "nowhere"
    """
    caller = project(tmp_path / "caller", CALLER, services)
    back = '[[services]]\nbinding = "CALLER"\nservice = "under-test"\n'
    callee = project(tmp_path / "callee", CALLEE, back)
    edit(callee, "under-test", "callee", "wrangler.toml")
    edit(callee, 'service = "callee"', 'service = "under-test"', "wrangler.toml")
    with dev(caller, str(callee)) as server:
        found = server.get("/").json()
        assert "nowhere, which is not started here" in server.output
        with connect(server.url.replace("http", "ws")) as socket:  # passed on by the caller
            socket.send("x" * 100_000)
            assert socket.recv() == "GET " + "x" * 100_000
            socket.send("bye")
            with pytest.raises(ConnectionClosed):
                socket.recv()
            assert socket.close_code == 4001
    assert found == {
        "scaled": 20,
        "kinds": ["BigInt", "Date", "Map", "Error", "Array", "Undefined", "Function"],
        "counter": [1, 6],
        "pipelined": 7,
        "functions": [42, 11],
        "stream": "in pieces",
        "size": 5,
        "errors": [
            "RangeError: too much",
            'TypeError: The RPC receiver does not implement the method "a',
            'TypeError: The RPC receiver does not implement the method "s',
            "TypeError: 'alarm' is a reserved method and cannot be called",
            'Error: Cannot access "add" as we couldn\'t find a local dev s',
            'Error: Cannot access "fetch" as we couldn\'t find a local dev',
            "Error: callee was called from 32 calls inside one another: o",
        ],
        "object": 2,
        "heard": "one, two",
        "socket": ["GET tea", [1, 2], 4001, "gone", 403, "not here"],
        "fetch": [201, "POST https://x.test/inner?q=1 tea 1", "2"],
    }
