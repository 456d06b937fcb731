"""What else reaches a TypeScript worker: cron triggers, queues, assets, a new configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project
from tests.waiting import eventually

INDEX = """
const seen: unknown[] = [];

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/send") await env.JOBS.send({ n: 1 });
    if (url.pathname === "/seen") return Response.json(seen);
    if (url.pathname === "/asset") return env.ASSETS.fetch("http://any/page.txt");
    return new Response(`worker ${env.PLACE} ${url.pathname}`);
  },
  async scheduled(controller: any, env: any, ctx: any): Promise<void> {
    ctx.waitUntil(Promise.resolve());
    seen.push([controller.cron, controller.scheduledTime]);
    if (controller.cron === "0 0 1 1 *") throw new TypeError("not today");
  },
  async queue(batch: any): Promise<void> {
    for (const message of batch.messages) {
      seen.push([batch.queue, message.body, message.timestamp instanceof Date, message.attempts]);
      message.ack();
    }
  },
};
"""
MORE = """
[vars]
PLACE = "Paris"

[triggers]
crons = ["0 9 * * *", "0 0 1 1 *"]

[[queues.producers]]
queue = "jobs"
binding = "JOBS"

[[queues.consumers]]
queue = "jobs"
max_batch_timeout = 0

[assets]
directory = "public"
binding = "ASSETS"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    folder = project(tmp_path_factory.mktemp("events"), INDEX, MORE)
    (folder / "public").mkdir()
    (folder / "public" / "page.txt").write_text("an asset\n")
    with dev(folder) as running:
        yield running


def test_a_cron_trigger_calls_scheduled(server: DevServer) -> None:
    answered = server.post("/cdn-cgi/local/scheduled?cron=0+9+*+*+*&time=86400000")
    failed = server.post("/cdn-cgi/local/scheduled?cron=0+0+1+1+*&time=86400000")

    assert (answered.status_code, failed.status_code) == (200, 500), answered.text
    assert ["0 9 * * *", 86400000] in server.get("/seen").json()
    server.wait_for(r"TypeError: not today\n    at .*src/index.ts:15:")


def test_a_queue_is_consumed(server: DevServer) -> None:
    server.get("/send")

    eventually(lambda: ["jobs", {"n": 1}, True, 1] in server.get("/seen").json())


def test_assets_are_served_before_the_worker_and_by_their_binding(server: DevServer) -> None:
    assert server.get("/page.txt").text == "an asset\n"
    assert server.client.head("/page.txt").headers["content-type"].startswith("text/plain")
    assert server.get("/asset").text == "an asset\n"
    assert server.get("/other").text == "worker Paris /other"
    etag = server.get("/page.txt").headers["etag"]
    assert server.get("/page.txt", headers={"if-none-match": etag}).status_code == 304


def test_a_changed_variable_makes_a_new_generation(server: DevServer) -> None:
    path: Path = server.project / "wrangler.toml"
    path.write_text(path.read_text().replace("Paris", "Rome"))

    eventually(lambda: server.get("/other").text == "worker Rome /other")


COUNTER = """
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  async add(n: number): Promise<number> {
    const sum = ((await this.ctx.storage.get<number>("sum")) ?? 0) + n;
    await this.ctx.storage.put("sum", sum);
    return sum;
  }
  rows(): number {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (n INTEGER)");
    this.ctx.storage.sql.exec("INSERT INTO t VALUES (1)");
    return this.ctx.storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM t").one().n;
  }
}

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const counter = env.COUNTER.getByName("all");
    return Response.json([await counter.add(1), await counter.rows()]);
  },
};
// VERSION
"""
OBJECTS = """
[[durable_objects.bindings]]
name = "COUNTER"
class_name = "Counter"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Counter"]
"""


def test_durable_objects_keep_their_storage_over_saves_and_kills(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", COUNTER, OBJECTS)
    running = dev(folder)
    running.wait_until_ready()
    assert running.get("/").json() == [1, 1]
    index = folder / "src" / "index.ts"
    index.write_text(index.read_text().replace("VERSION", "VERSION 2"))
    running.wait_for("reloaded in")
    assert running.get("/").json() == [2, 2]
    running.kill()
    running.stop()

    with dev(folder) as again:
        assert again.get("/").json() == [3, 3]
