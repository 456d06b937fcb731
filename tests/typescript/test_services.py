"""Service bindings of a TypeScript worker to itself: workerd's own RPC."""

from __future__ import annotations

from pathlib import Path

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
"""

INDEX = """
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

class Counter extends RpcTarget {
  #count = 0;
  increase() { return ++this.#count; }
}

export class Numbers extends WorkerEntrypoint {
  scaled(x: number) { return x * (this.ctx as any).props.scale; }
  counter() { return new Counter(); }
  async apply(call: any, x: number) { return await call(x); }
  boom() { throw new RangeError("too much"); }
}

export default {
  async fetch(request: Request, env: any, ctx: any): Promise<Response> {
    if (new URL(request.url).pathname === "/inner") return new Response(request.method);
    const inner = await env.SELF.fetch("http://x/inner", { method: "POST" });
    return Response.json([
      await env.MATH.scaled(2),
      await env.MATH.counter().increase(),
      await env.MATH.apply((x: number) => x + 1, 41),
      await env.MATH.boom().catch((error: Error) => `${error.name}: ${error.message}`),
      await inner.text(),
      await ctx.exports.Numbers.apply((x: number) => -x, 1),
    ]);
  },
};
"""


def test_a_worker_calls_itself(tmp_path: Path) -> None:
    with dev(project(tmp_path / "worker", INDEX, MORE)) as server:
        assert server.get("/").json() == [20, 1, 42, "RangeError: too much", "POST", -1]
