"""Alarms of Durable Objects in workerd, whatever is killed while they wait."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project, workerds
from tests.waiting import eventually

BELL = """
import { DurableObject } from "cloudflare:workers";

export class Bell extends DurableObject<any> {
  async set(ms: number): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + ms);
    await this.ctx.storage.sync();
  }

  async alarm(): Promise<void> {
    await this.env.DB.prepare("INSERT INTO rang VALUES (?)").bind(this.ctx.id.name).run();
  }
}

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    await env.DB.exec("CREATE TABLE IF NOT EXISTS rang (name TEXT)");
    const [, name, ms] = new URL(request.url).pathname.split("/");
    if (ms) await env.BELL.getByName(name).set(Number(ms));
    const { results } = await env.DB.prepare("SELECT name FROM rang ORDER BY name").all();
    return Response.json(results.map((row: any) => row.name));
  },
};
"""
OBJECTS = """
[[durable_objects.bindings]]
name = "BELL"
class_name = "Bell"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Bell"]
"""


def rang(server: DevServer) -> list[str]:
    found: list[str] = server.get("/").json()
    return found


def test_an_alarm_rings_once_whoever_was_killed_meanwhile(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", BELL, OBJECTS)
    first = dev(folder)
    first.wait_until_ready()
    first.get("/due/50")
    eventually(lambda: rang(first) == ["due"])
    first.get("/missed/300")
    first.get("/later/1500")
    first.kill()
    first.stop()
    missed = time.monotonic() + 0.3
    eventually(lambda: time.monotonic() > missed)

    with dev(folder) as second:
        eventually(lambda: rang(second) == ["due", "later", "missed"])
        second.get("/workerd/500")
        os.kill(workerds(second)[0].pid, signal.SIGKILL)
        second.wait_for("starting it again")
        eventually(lambda: rang(second) == ["due", "later", "missed", "workerd"])
