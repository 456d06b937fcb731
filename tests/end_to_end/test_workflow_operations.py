"""What user code asks of instances, under a real server: delete, batches, restart from a step."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.test_workflows import counts, create, wait_for_status
from tests.waiting import eventually

OPERATIONS = """
async def run(self, event, step):
    flow, what = self.env.FLOW, event["payload"].get("what")
    if what == "delete myself":
        @step.do("delete")
        async def delete():
            await self.ran("before")
            await (await flow.get(event["instanceId"])).delete()
            await self.ran("after")

        await delete()
        await self.ran("later")
    if what == "batches":
        wanted = [{"id": "one"}, {"id": "one"}, {"id": event["instanceId"]}]
        made = await flow.create_batch({"instances": wanted})
        gone = await flow.delete_batch(["one", "nobody"])
        return [[each.id for each in made.created], made.errors, gone]
    if what == "restart":
        other = await flow.get(event["payload"]["id"])
        await other.restart({"from": {"name": "second"}})
    if what == "steps":
        for name in ("first", "second", "third"):
            @step.do(name)
            async def work():
                await self.ran(name)

            await work()
"""


def test_an_instance_that_deletes_itself_is_gone_and_its_id_free(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", OPERATIONS)) as server:
        create(server, "me", {"what": "delete myself"})
        eventually(lambda: "instance.not_found" in server.get("/status/me").text)
        create(server, "me")

        wait_for_status(server, "me", "complete")
        assert counts(server) == {"before": 1}


def test_batches_tell_what_became_of_each_instance(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", OPERATIONS)) as server:
        create(server, "driver", {"what": "batches"})

        done = wait_for_status(server, "driver", "complete")

        api = "workflows.api.error.instance"
        assert done["output"] == [
            ["one"],
            [
                {"index": 1, "id": "one", "code": 10415, "message": f"{api}.duplicate_in_batch"},
                {"index": 2, "id": "driver", "code": 10405, "message": f"{api}.already_exists"},
            ],
            {
                "deleted": [{"id": "one"}],
                "errors": [{"id": "nobody", "code": 10400, "message": f"{api}.not_found"}],
            },
        ]


def test_an_instance_restarts_from_a_step(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", OPERATIONS)) as server:
        create(server, "work", {"what": "steps"})
        wait_for_status(server, "work", "complete")
        create(server, "driver", {"what": "restart", "id": "work"})

        wait_for_status(server, "driver", "complete")
        wait_for_status(server, "work", "complete")

        assert counts(server) == {"first": 1, "second": 2, "third": 2}
