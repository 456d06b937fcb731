"""Values that are at the edge of what can be carried, and recorded ones that are damaged."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import V4, Api

VALUES = """
async def run(self, event, step):
    import array, enum
    from datetime import datetime, timezone

    class Status(str, enum.Enum):
        PAID = "paid"

    def nested(depth, make):
        value = []
        for _ in range(depth - 1):
            value = make(value)
        return value

    @step.do("make")
    async def make():
        await self.ran(event["payload"]["make"])
        match event["payload"]["make"]:
            case "bytes":
                return {"thumb": b"", "pdf": b"x" * 800_000}
            case "last":
                return {"expires": datetime.max}
            case "first":
                return datetime.min.replace(tzinfo=timezone.utc)
            case "lists":
                return nested(1_000, lambda inner: [inner])
            case "dicts":
                return nested(600, lambda inner: {"k": inner})
            case "enum":
                return {Status.PAID: Status.PAID}
            case "array":
                return array.array("f", [1, 2.5])
            case "set":
                return {frozenset({1}), 2}

    made = await make()
    told = await step.wait_for_event("go on", "go")
    return [type(made).__name__, len(made) if hasattr(made, "__len__") else str(made),
            told["payload"]]
"""


def test_a_step_may_return_what_is_at_the_edge_and_its_neighbours_never_notice(
    tmp_path: Path,
) -> None:
    expected: dict[str, list[Any]] = {
        "bytes": ["JsDict", 2],
        "last": ["JsDict", 1],
        "first": ["datetime", "0001-01-01 00:00:00"],
        "lists": ["list", 1],
        "dicts": ["JsDict", 1],
        "enum": ["JsDict", 1],
        "array": ["memoryview", 2],
    }
    with DevServer(workflow_project(tmp_path / "p", VALUES)) as server:
        api = Api(server, V4)
        for made in (*expected, "set"):
            api.create(made, make=made)
        for made in expected:
            api.until(made, "waiting")
        assert "Set takes strings, numbers" in str(api.until("set", "errored"))
        server.kill_guest()  # each is replayed when its event comes

        for made in expected:
            api.post(f"/flow/instances/{made}/events/go", {"for": made})

        outputs = {made: api.until(made, "complete")["output"] for made in expected}
        assert outputs == {made: [*of, {"for": made}] for made, of in expected.items()}
        assert set(server.get("/counts").json().values()) == {1}
        assert "Traceback" not in server.output.replace("Traceback (most recent call last):", "", 1)


def test_a_damaged_value_ends_its_own_instance_with_words_and_no_neighbour(
    tmp_path: Path,
) -> None:
    project = workflow_project(tmp_path / "p", VALUES)
    with DevServer(project) as server:
        api = Api(server, V4)
        for made in ("good", "too late", "no reference", "no date"):
            api.create(made.replace(" ", "-"), make="enum")
            api.until(made.replace(" ", "-"), "waiting")

    _damage(project, "too-late", b'{"expires":{"$date":9000000000000000}}')
    _damage(project, "no-reference", b'[{"$ref":7}]')
    _damage(project, "no-date", b'{"$date":1152921504606846976}')
    with DevServer(project) as server:
        api = Api(server, V4)
        (guest,) = server.guest_pids()
        for made in ("too-late", "no-reference", "no-date", "good"):
            api.post(f"/flow/instances/{made}/events/go", 1)

        for made in ("too-late", "no-reference", "no-date"):
            error = api.until(made, "errored")["error"]
            assert error["name"] == "WorkflowInternalError"
            assert error["message"].startswith("The recorded value of step make-1 is damaged: ")
        assert api.until("good", "complete")["output"] == ["JsDict", 1, 1]
        assert server.guest_pids() == [guest]
        assert 'File "' not in server.output


def _damage(project: Path, instance: str, value: bytes) -> None:
    (journal,) = (project / ".groundfog").rglob("journal.sqlite")
    with sqlite3.connect(journal) as connection:
        connection.execute(
            "UPDATE entries SET value = ? WHERE step = 'do:1:make' AND value IS NOT NULL"
            " AND instance = (SELECT key FROM instances WHERE id = ?)",
            (value, instance),
        )
    connection.close()


CALLS = """
async def run(self, event, step):
    told = await step.wait_for_event("go on", "go")
    return [str(event["payload"]["expires"]), str(told["payload"])]
"""


def test_a_caller_may_send_the_last_moment_there_is(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", CALLS)
    entry = project / "src" / "entry.py"
    entry.write_text(
        entry.read_text().replace(
            "        url = urlparse(request.url)\n",
            "        from datetime import datetime\n"
            "        if request.url.endswith('/last'):\n"
            "            params = {'expires': datetime.max}\n"
            "            one = await self.env.FLOW.create(id='one', params=params)\n"
            "            await one.send_event(type='go', payload=datetime.max)\n"
            "        url = urlparse(request.url)\n",
            1,
        )
    )
    with DevServer(project) as server:
        guests = server.guest_pids()
        server.get("/last")

        output: Any = Api(server, V4).until("one", "complete")["output"]

        assert output == ["9999-12-31 23:59:59.999000"] * 2
        assert server.guest_pids() == guests
