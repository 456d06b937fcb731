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


SAGA = """
async def run(self, event, step):
    import asyncio, os

    async def undo(rollback):
        while rollback.stepName == "b-1" and os.path.exists(event["payload"].get("held", "")):
            await asyncio.sleep(0.01)
        await self.ran(f"{rollback.ctx.step.name} {rollback.output} {rollback.error}")

    for name in ("a", "b", "c"):
        @step.do(name, rollback=undo)
        async def make():
            return name.upper()

        await make()
    if event["payload"].get("rest"):
        await step.sleep("rest", "1 day")
    raise ValueError("too late")
"""


def test_a_rollback_goes_on_after_kill_9_of_the_host_and_repeats_no_handler_that_is_done(
    tmp_path: Path,
) -> None:
    project = workflow_project(tmp_path / "p", SAGA)
    held = tmp_path / "held"
    held.touch()
    with DevServer(project) as first:
        create(first, "saga", {"held": str(held)})
        eventually(lambda: "c C ValueError: too late" in counts(first))
        first.kill()
    held.unlink()

    with DevServer(project) as second:
        failed = wait_for_status(second, "saga", "errored")

        assert failed["error"] == {"name": "ValueError", "message": "too late"}
        assert failed["rollback"] == {"outcome": "complete", "error": None}
        assert counts(second) == {f"{n} {n.upper()} ValueError: too late": 1 for n in "abc"}


def test_terminate_rolls_back_from_user_code(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SAGA)) as server:
        create(server, "saga", {"rest": True})
        wait_for_status(server, "saga", "waiting")
        server.get("/terminate/saga?rollback=1")

        ended = wait_for_status(server, "saga", "terminated")

        assert ended["rollback"] == {"outcome": "complete", "error": None}
        told = "Terminated: Instance terminated during rollback"
        assert counts(server) == {f"{n} {n.upper()} {told}": 1 for n in "abc"}
