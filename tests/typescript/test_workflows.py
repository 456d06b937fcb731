"""Workflows in TypeScript under a real server: steps, values, errors, saves and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, edit, flow_project, tools, workerds
from tests.waiting import eventually

CASES = """
async run(event: any, step: any): Promise<any> {
  return (this as any)[event.payload.case](event, step);
}

async values(event: any, step: any) {
  const given = {
    date: new Date(86400000), map: new Map<any, any>([["a", { n: 1n }]]), set: new Set([1, "b"]),
    bytes: new Uint8Array([1, 2]), floats: new Float32Array([0.5]),
    buffer: new Uint8Array([3]).buffer, pattern: /a+/gi,
    error: new RangeError("far"), none: undefined, number: -0, big: 2n ** 70n,
    money: { $date: 5 }, list: [null, NaN, Infinity],
  };
  (given as any).itself = given;
  const found = await step.do("values", async () => given);
  return {
    isCopy: found !== given && found.map !== given.map,
    types: Object.values(found).map((value: any) => value?.constructor?.name ?? String(value)),
    cycle: found.itself === found, date: found.date.getTime(), map: found.map.get("a").n === 1n,
    set: [...found.set], floats: [...found.floats], pattern: String(found.pattern),
    error: `${found.error.name}: ${found.error.message}`, zero: Object.is(found.number, -0),
    big: found.big === 2n ** 70n, money: found.money, has: "none" in found,
  };
}

async parallel(event: any, step: any) {
  const one = step.do("one", async () => 1);
  const two = step.do("two", async (ctx: any) => ctx.step);
  const outer = step.do("outer", async () => {
    const first = await step.do("inner", async () => "a");
    return first + (await step.do("inner", async () => "b"));
  });
  return Promise.all([one, two, outer]);
}

async retries(event: any, step: any) {
  const retries = { limit: 2, delay: 10, backoff: "constant" };
  const found = await step.do("flaky", { retries }, async (ctx: any) => {
    if (ctx.attempt < 3) throw new TypeError(`attempt ${ctx.attempt}`);
    return ctx;
  });
  let caught: any;
  try {
    await step.do("final", async () => { throw new NonRetryableError("never"); });
  } catch (error: any) {
    caught = [error.name, error.message, error instanceof NonRetryableError];
  }
  return { found, caught };
}

async delays(event: any, step: any) {
  let asked: any;
  const delay = ({ ctx, error }: any) => { asked = [ctx.attempt, error.message]; return 20; };
  const retries = { limit: 1, delay, backoff: "constant" };
  return step.do("slow", { retries }, async (ctx: any) => {
    if (ctx.attempt === 1) throw new Error("once");
    return asked;
  });
}

async fails(event: any, step: any) {
  await step.do("paid", async () => "receipt 7", {
    rollback: async ({ output, error, ctx, stepName }: any) => {
      await this.ran(`refund ${output} ${error.message} ${ctx.step.name} ${stepName}`);
    },
  });
  throw new RangeError("no stock");
}

async streams(event: any, step: any) {
  const stream = await step.do("export", async () => new Blob(["x".repeat(600000)]).stream());
  return (await new Response(stream).text()).length;
}

async refused(event: any, step: any) {
  return step.do("function", async () => ({ users: [{ go: () => 1 }] }));
}

async named(event: any, step: any) {
  const isDate = event.timestamp instanceof Date;
  return [event.instanceId, event.workflowName, isDate, event.payload.text];
}

async late(event: any, step: any) {
  const got = await step.waitForEvent("approval", { type: "approved", timeout: "1 hour" });
  return [got.type, got.payload, got.timestamp instanceof Date];
}

async untilThen(event: any, step: any) {
  await step.sleepUntil("a moment", new Date(Date.now() + 50));
  return "awake";
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with dev(flow_project(tmp_path_factory.mktemp("flows"), CASES)) as running:
        yield running


def create(server: DevServer, instance: str, params: Any = None) -> None:
    answer = server.post(f"/create/{instance}", json=params or {})
    assert answer.status_code == 200, answer.text


def status(server: DevServer, instance: str) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"/status/{instance}").json()
    return found


def wait_for(server: DevServer, instance: str, *wanted: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = status(server, instance)
        return found if found["status"] in wanted else None

    try:
        return eventually(look)
    except AssertionError:
        raise AssertionError(f"{status(server, instance)}\n{server.output}") from None


def ended(server: DevServer, case: str, **params: Any) -> dict[str, Any]:
    """Run a case and return its status once it has ended."""
    create(server, case, {"case": case, **params})
    return wait_for(server, case, "complete", "errored")


def output(server: DevServer, case: str, **params: Any) -> Any:
    found = ended(server, case, **params)
    assert found["status"] == "complete", found
    return found["output"]


def test_values_come_back_as_what_they_were_and_are_copies(server: DevServer) -> None:
    found = output(server, "values")

    assert found["types"] == [
        *("Date", "Map", "Set", "Uint8Array", "Float32Array", "ArrayBuffer", "RegExp"),
        *("RangeError", "undefined", "Number", "BigInt", "Object", "Array", "Object"),
    ]
    assert found == {
        "types": found["types"],
        **{"isCopy": True, "cycle": True, "date": 86400000, "map": True, "set": [1, "b"]},
        **{"floats": [0.5], "pattern": "/a+/gi", "error": "RangeError: far", "zero": True},
        **{"big": True, "money": {"$date": 5}, "has": True},
    }


def test_steps_run_side_by_side_and_inside_steps(server: DevServer) -> None:
    assert output(server, "parallel") == [1, {"name": "two", "count": 1}, "ab"]


def test_steps_are_retried_with_their_context_and_some_errors_are_final(server: DevServer) -> None:
    found = output(server, "retries")

    assert found["found"]["attempt"] == 3
    assert found["found"]["config"]["retries"] == {"limit": 2, "delay": 10, "backoff": "constant"}
    assert found["caught"] == ["NonRetryableError", "never", True]
    server.wait_for(r"flow \S+ \| TypeError: attempt 1\n.*\|     at .*src/index.ts:\d+:34")


def test_a_function_may_choose_the_delay(server: DevServer) -> None:
    assert output(server, "delays") == [1, "once"]


def test_a_failed_instance_rolls_back_with_its_handlers(server: DevServer) -> None:
    found = ended(server, "fails")

    assert (found["error"]["name"], found["error"]["message"]) == ("RangeError", "no stock")
    ran = "refund receipt 7 no stock paid paid-1"
    eventually(lambda: server.get("/counts").json().get(ran) == 1)


def test_a_stream_is_stored_and_read_back(server: DevServer) -> None:
    assert output(server, "streams") == 600_000


def test_what_cannot_be_stored_ends_the_instance_and_says_where(server: DevServer) -> None:
    assert ended(server, "refused")["error"]["name"] == "WorkflowFatalError"
    server.wait_for(r"DataCloneError: \(\) => 1 could not be cloned. It is at users\[0\].go.")


def test_the_event_names_instance_and_workflow(server: DevServer) -> None:
    assert output(server, "named", text="hé") == ["named", "flow", True, "hé"]


def test_events_and_deadlines_wake_an_instance(server: DevServer) -> None:
    create(server, "late", {"case": "late"})
    wait_for(server, "late", "waiting")
    server.post("/event/late/approved", json={"by": "Ada"})

    assert wait_for(server, "late", "complete")["output"] == ["approved", {"by": "Ada"}, True]
    assert output(server, "untilThen") == "awake"


def test_the_binding_creates_finds_and_refuses_as_in_production(server: DevServer) -> None:
    batch = [{"id": "b1", "params": {"case": "named"}}, {"id": "b2", "params": {"case": "named"}}]
    assert [each["id"] for each in server.post("/binding/createBatch", json=batch).json()] == [
        "b1",
        "b2",
    ]
    found = server.post(
        "/binding/createBatch", json={"instances": [{"id": "b1"}, {"id": "b3"}]}
    ).json()
    assert [each["id"] for each in found["created"]] == ["b3"]
    assert found["errors"][0]["id"] == "b1"
    refused = server.post("/create/b1", json={})
    assert refused.status_code == 500 and "(instance.already_exists)" in refused.text
    assert "(instance.not_found)" in server.get("/status/nobody").text
    assert server.post("/binding/deleteBatch", json=["b2"]).json()["deleted"] == [{"id": "b2"}]


def test_an_instance_is_paused_resumed_terminated_and_restarted(server: DevServer) -> None:
    create(server, "ops", {"case": "late"})
    wait_for(server, "ops", "waiting")
    server.get("/pause/ops")
    wait_for(server, "ops", "paused")
    server.get("/resume/ops")
    wait_for(server, "ops", "waiting")
    server.get("/terminate/ops")
    wait_for(server, "ops", "terminated")
    server.get("/restart/ops")
    wait_for(server, "ops", "waiting")


def test_a_subscription_gives_the_events_until_the_instance_has_ended(server: DevServer) -> None:
    create(server, "watched", {"case": "late"})
    with ThreadPoolExecutor() as pool:
        events = pool.submit(server.get, "/events/watched")
        wait_for(server, "watched", "waiting")
        server.post("/event/watched/approved", json={})
        types = events.result(20).json()
    assert types[:3] == ["workflow_queued", "workflow_started", "wait_started approval-1"]
    assert "wait_completed approval-1" in types and types[-1] == "workflow_completed"
    only = server.post("/events/watched", json={"filter": ["workflow_completed"]}).json()
    assert only == ["workflow_completed"]
    refused = server.post("/events/watched", json={"cursor": -1})
    assert "Invalid Workflow subscription options" in refused.text


SLEEPER = """
async run(event: any, step: any): Promise<any> {
  await step.do("before", () => this.ran("before"));
  if (event.payload.slow) {
    await step.do("slow", async () => {
      await this.ran("slow");
      await new Promise((resolve) => setTimeout(resolve, 600));
    });
  } else {
    await step.waitForEvent("go", { type: "go" });
  }
  await step.do("after", () => this.ran("after"));
  return "version 1";
}
"""


def test_a_save_moves_who_waits_and_lets_a_step_in_flight_end(tmp_path: Path) -> None:
    folder = flow_project(tmp_path / "p", SLEEPER)
    with dev(folder) as running:
        create(running, "waiter", {})
        create(running, "runner", {"slow": True})
        wait_for(running, "waiter", "waiting")
        running.wait_for("workflow flow runner: before done")
        edit(folder, "version 1", "version 2")
        running.wait_for("reloaded in")
        running.post("/event/waiter/go", json={})

        for instance in ("waiter", "runner"):
            assert wait_for(running, instance, "complete")["output"] == "version 2"
        assert running.get("/counts").json() == {"before": 2, "slow": 1, "after": 2}
        eventually(lambda: len(workerds(running)) == 1)


def test_instances_go_on_after_the_worker_and_the_host_were_killed(tmp_path: Path) -> None:
    folder = flow_project(tmp_path / "p", SLEEPER)
    running = dev(folder)
    running.wait_until_ready()
    create(running, "a", {})
    wait_for(running, "a", "waiting")
    os.kill(workerds(running)[0].pid, signal.SIGKILL)
    running.wait_for("starting it again")
    running.kill()
    running.stop()

    with dev(folder) as again:
        again.post("/event/a/go", json={})
        assert wait_for(again, "a", "complete")["output"] == "version 1"
        assert again.get("/counts").json() == {"before": 1, "after": 1}


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "groundfog", "workflows", "check", "--cwd", folder],
        env={**os.environ, "GROUNDFOG_TOOLS": tools()},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_renamed_step_holds_the_instance_until_a_person_decides(tmp_path: Path) -> None:
    folder = flow_project(tmp_path / "p", SLEEPER)
    with dev(folder) as running:
        create(running, "a", {})
        wait_for(running, "a", "waiting")
        edit(folder, 'step.do("before"', 'step.do("beforehand"')
        running.wait_for(r"- do +before +done +was src/index.ts:12")
        running.wait_for(r"\+ do +beforehand +src/index.ts:12")
        wait_for(running, "a", "paused")
        checked = check(folder)
        assert checked.returncode == 1 and "src/index.ts:12" in checked.stdout

        edit(folder, 'step.do("beforehand"', 'step.do("before"')
        wait_for(running, "a", "waiting")
        checked = check(folder)
        assert (checked.returncode, checked.stdout) == (0, "1 checked: the code fits\n")
        running.post("/event/a/go", json={})
        wait_for(running, "a", "complete")
        assert running.get("/counts").json() == {"before": 1, "after": 1}


OUTSIDE = """
async run(event: any, step: any): Promise<any> {
  await step.do("before", () => this.ran("before"));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await this.env.DB.prepare("SELECT 1").all();
  await step.waitForEvent("go", { type: "go" });
  return "done";
}
"""


def test_input_and_output_outside_steps_does_not_hold_an_instance(tmp_path: Path) -> None:
    folder = flow_project(tmp_path / "p", OUTSIDE)
    with dev(folder) as running:
        create(running, "a", {})
        wait_for(running, "a", "waiting")
        edit(folder, '"done"', '"done again"')
        running.wait_for("reloaded in")
        running.post("/event/a/go", json={})

        assert wait_for(running, "a", "complete")["output"] == "done again"
        assert running.get("/counts").json() == {"before": 1}


SLOW_BODY = """
async run(event: any, step: any): Promise<any> {
  const go = step.waitForEvent("go", { type: "go" });
  const answer = await fetch(event.payload.url);
  const text = await answer.text();
  await step.do("read", () => this.ran("read"));
  await go;
  return text;
}
"""


class SlowBody(BaseHTTPRequestHandler):
    """Sends a head, and its body some turns of any event loop later."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.flush()
        threading.Event().wait(0.2)
        self.wfile.write(b"late")

    def log_message(self, *args: object) -> None:
        pass


def test_a_run_that_reads_a_slow_body_is_not_at_rest(tmp_path: Path) -> None:
    """Else it would be held, for not asking for what it asks for later."""
    folder = flow_project(tmp_path / "p", SLOW_BODY)
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowBody) as slow, dev(folder) as running:
        threading.Thread(target=slow.serve_forever, daemon=True).start()
        create(running, "a", {"url": f"http://127.0.0.1:{slow.server_port}/"})
        running.wait_for("workflow flow a: read done")
        edit(folder, "return text", 'return text + "r"')
        running.wait_for("reloaded in")
        running.get("/pause/a")
        running.get("/resume/a")
        wait_for(running, "a", "waiting")
        running.post("/event/a/go", json={})
        assert wait_for(running, "a", "complete")["output"] == "later"
        assert running.get("/counts").json() == {"read": 1}
        slow.shutdown()


LOOP = """
async run(event: any, step: any): Promise<any> {
  await step.do("before", () => this.ran("before"));
  return step.do("loop", { retries: { limit: 1, delay: 1 } }, async () => {
    await this.ran("loop");
    while (true) {}
  });
}
"""


def test_a_step_that_never_ends_is_named_and_costs_its_retries(tmp_path: Path) -> None:
    folder = flow_project(tmp_path / "p", LOOP)
    (folder / "groundfog.toml").write_text('[guest]\nhang_timeout = "1 second"\n')
    with dev(folder) as running:
        create(running, "a", {})
        running.wait_for('did not respond for 1 s while running flow instance "a", step "loop"')
        running.wait_for("workflow flow a: errored: WorkflowInternalError")
        assert running.get("/counts").json() == {"before": 1, "loop": 2}
