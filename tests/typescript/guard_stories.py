"""Stories of the guard in workerd: code is edited while many instances are under way in it.

Each instance has code of its own, in a table in the source, so one save edits all of them at once.
The clock is virtual: an hour of sleeps takes as long as the code that wakes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.end_to_end.server import DevServer
from tests.engine.edited_code import (
    ANY,
    HARMLESS,
    Code,
    Do,
    Gather,
    Operation,
    Sleep,
    edited,
    names_in,
    random_code,
)
from tests.typescript.projects import FLOW, dev, project

TICK_MINUTES = 5
LONGEST_MINUTES = 80
CLOCK = "/cdn-cgi/groundfog/clock/advance"
INSTANCES = "/client/v4/accounts/a/workflows/flow/instances"
INDEX = """
import { WorkflowEntrypoint } from "cloudflare:workers";

const CODES: Record<string, any[]> = __CODES__;

export class Flow extends WorkflowEntrypoint<any, any> {
  async run(event: any, step: any): Promise<void> {
    const insert = this.env.DB.prepare("INSERT INTO ran VALUES (?, ?)");
    const ran = async (call: string) => void (await insert.bind(event.instanceId, call).run());
    const one = async ({ sleeps, name, identity, times }: any) => {
      if (sleeps) return step.sleep(name, "10 minutes");
      for (let n = 0; n < times; n++) await step.do(name, () => ran(`${identity} ${n}`));
    };
    for (const branches of CODES[event.instanceId]) await Promise.all(branches.map(one));
  }
}

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    await env.DB.exec("CREATE TABLE IF NOT EXISTS ran (instance TEXT, call TEXT)");
    if (request.method === "POST") await env.FLOW.createBatch(await request.json());
    return Response.json((await env.DB.prepare("SELECT * FROM ran").all()).results);
  },
};
"""

Ran = Counter[tuple[str, str]]  # (instance, call) -> executions


@dataclass(frozen=True)
class Story:
    """One instance: it runs `code` for so many minutes, and then `new`."""

    instance: str
    code: Code
    new: Code
    edit: str
    minutes: int

    def __str__(self) -> str:
        return f"{self.instance}, {self.edit} after {self.minutes} minutes of {self.code}"


def random_story(random: Random, instance: str) -> Story:
    """Return a story: the edit comes while the instance is under way, mostly."""
    code, edit = random_code(random), random.choice(ANY)
    sleeps = sum(any(map(_is_sleep, _branches(operation))) for operation in code)
    minutes = random.randrange(0, min(10 * sleeps, LONGEST_MINUTES) + 1, TICK_MINUTES)
    return Story(instance, code, edited(random, code, edit), edit, minutes)


def violations(folder: Path, seed: int, count: int) -> list[str]:
    """Play `count` stories; return every broken promise, in words."""
    random = Random(seed)
    stories = [random_story(random, f"i{n}") for n in range(count)]
    old = {story.instance: story.code for story in stories}
    made = project(folder, INDEX, FLOW)
    _save(made, old)
    with dev(made, "--clock", "virtual") as server:
        server.get("/")
        _start(server, stories)
        done = _ran(server)
        _save(made, {story.instance: story.new for story in stories})
        server.wait_for("reloaded in")
        _advance(server, 24 * 60)
        ran = _ran(server)
        found = [
            f"{story}: {problem}"
            for story in stories
            for problem in _changed(story, _detail(server, story), done, ran)
        ]
        before = len(server.lines)
        _save(made, old)
        server.wait_for("reloaded in", before)
        _advance(server, 24 * 60)
        ran = _ran(server)
        found += [
            f"{story}: {problem}"
            for story in stories
            for problem in _at_last(story, _detail(server, story), ran)
        ]
    return found


def _start(server: DevServer, stories: list[Story]) -> None:
    for minutes in range(LONGEST_MINUTES, -1, -TICK_MINUTES):
        due = [{"id": story.instance} for story in stories if story.minutes == minutes]
        if due:
            assert server.post("/", json=due).status_code == 200
        _advance(server, TICK_MINUTES)


def _changed(story: Story, detail: dict[str, Any], done: Ran, ran: Ran) -> Iterator[str]:
    """After the edit, no step that was done has run again, and what is held is held rightly."""
    status = detail["status"]
    for key in done:
        if key[0] == story.instance and ran[key] != 1:
            yield f"{key[1]} was done, and ran {ran[key]} times"
    if status not in ("paused", "complete"):
        yield f"is {status}"
    if status == "complete" or story.edit in HARMLESS:
        if status != "complete":
            yield f"is {status} after a harmless edit"
        return
    sentences = detail["held"]["found"]
    if not sentences:
        yield "is held for no reason"
    for sentence in sentences:
        if not any(f'"{name}"' in sentence for name in names_in(story.code)):
            yield f"is held for what it had not: {sentence}"


def _at_last(story: Story, detail: dict[str, Any], ran: Ran) -> Iterator[str]:
    """With the old code again, everything is complete, and every step of it ran once."""
    if detail["status"] != "complete":
        yield f"is {detail['status']} on its old code"
    for (instance, call), times in ran.items():
        if instance == story.instance and times != 1:
            yield f"{call} ran {times} times"


def _save(folder: Path, codes: dict[str, Code]) -> None:
    told = {
        instance: [
            [{**vars(branch), "sleeps": _is_sleep(branch)} for branch in _branches(operation)]
            for operation in code
        ]
        for instance, code in codes.items()
    }
    text = INDEX.replace("__CODES__", json.dumps(told))
    (folder / "src" / "index.ts").write_text(text, encoding="utf-8")


def _branches(operation: Operation) -> tuple[Do | Sleep, ...]:
    return operation.branches if isinstance(operation, Gather) else (operation,)


def _is_sleep(branch: Do | Sleep) -> bool:
    return isinstance(branch, Sleep)


def _advance(server: DevServer, minutes: int) -> None:
    assert server.post(CLOCK, json={"span": f"{minutes} minutes"}).status_code == 200


def _ran(server: DevServer) -> Ran:
    return Counter((row["instance"], row["call"]) for row in server.get("/").json())


def _detail(server: DevServer, story: Story) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"{INSTANCES}/{story.instance}").json()["result"]
    return found
