"""Workflows under a real server: steps, retries, sleeps, and every way of being interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.workflows.command import Command
from tests.end_to_end.projects import edit, workflow_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually


def status(server: DevServer, instance: str) -> dict[str, Any]:
    response = server.get(f"/status/{instance}")
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def wait_for_status(server: DevServer, instance: str, wanted: str) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        now = status(server, instance)
        assert now["status"] in (wanted, "queued", "running", "waiting", "waitingForPause"), now
        return now if now["status"] == wanted else None

    return eventually(check)


def create(server: DevServer, instance: str, params: Any = None) -> None:
    response = server.post("/create", json={"id": instance, "params": params or {}})
    assert response.status_code == 200, response.text


def counts(server: DevServer) -> dict[str, int]:
    result: dict[str, int] = server.get("/counts").json()
    return result


SEQUENCE = """
async def run(self, event, step):
    @step.do("first")
    async def first():
        await self.ran("first")
        return {"n": event["payload"]["n"]}

    a = await first()

    @step.do("second")
    async def second():
        await self.ran("second")
        return a["n"] * 2

    return {"doubled": await second()}
"""


def test_a_workflow_runs_its_steps_and_returns_its_output(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SEQUENCE)) as server:
        create(server, "one", {"n": 21})

        done = wait_for_status(server, "one", "complete")

        assert done["output"] == {"doubled": 42}
        assert counts(server) == {"first": 1, "second": 1}


def test_a_duplicate_id_is_refused_in_productions_words(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SEQUENCE)) as server:
        create(server, "one", {"n": 1})

        again = server.post("/create", json={"id": "one", "params": {"n": 1}})

        assert again.status_code == 500
        assert "(instance.already_exists) Instance already exists" in again.text


RETRIED = """
async def run(self, event, step):
    @step.do("flaky", config={"retries": {"limit": 3, "delay": 10, "backoff": "constant"}})
    async def flaky(ctx):
        await self.ran("flaky")
        if ctx["attempt"] < 3:
            raise ValueError(f"attempt {ctx['attempt']} fails")
        return ctx["attempt"]

    return await flaky()
"""


def test_a_step_that_fails_twice_succeeds_at_the_third_attempt(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", RETRIED)) as server:
        create(server, "r")

        done = wait_for_status(server, "r", "complete")

        assert done["output"] == 3
        assert counts(server) == {"flaky": 3}


NON_RETRYABLE = """
async def run(self, event, step):
    @step.do("charge")
    async def charge():
        await self.ran("charge")
        raise NonRetryableError("card is stolen")

    return await charge()
"""


def test_a_non_retryable_error_ends_the_instance_after_one_attempt(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", NON_RETRYABLE)) as server:
        create(server, "n")

        ended = wait_for_status(server, "n", "errored")

        assert ended["error"]["name"] in ("NonRetryableError", "WorkflowFatalError")
        assert counts(server) == {"charge": 1}
    detail = Command(tmp_path / "p").detail("n")  # no server runs any more
    raised, _, called = detail["traceback"].partition("direct cause")
    assert 'raise NonRetryableError("card is stolen")' in raised
    assert "in run" not in raised and "in run" in called


SLEEPING = """
async def run(self, event, step):
    @step.do("before")
    async def before():
        await self.ran("before")
        return "b"

    await before()
    await step.sleep("nap", event["payload"].get("nap", "2 seconds"))

    @step.do("after")
    async def after():
        await self.ran("after")
        return "version 1"

    return await after()
"""


def test_a_sleeping_instance_goes_on_after_kill_9_of_the_host(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", SLEEPING)
    with DevServer(project) as first:
        create(first, "s")
        wait_for_status(first, "s", "waiting")
        first.kill()

    with DevServer(project) as second:
        done = wait_for_status(second, "s", "complete")

        assert done["output"] == "version 1"
        assert counts(second) == {"before": 1, "after": 1}


def test_a_sleeping_instance_goes_on_after_kill_9_of_the_guest(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SLEEPING)) as server:
        create(server, "s")
        wait_for_status(server, "s", "waiting")

        server.kill_guest()

        wait_for_status(server, "s", "complete")
        assert counts(server) == {"before": 1, "after": 1}


def test_a_save_during_the_sleep_is_followed_by_the_new_code(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", SLEEPING)
    with DevServer(project) as server:
        create(server, "s")
        wait_for_status(server, "s", "waiting")

        edit(project, "version 1", "version 2")
        server.wait_for(r"reloaded in \d+ ms \(.*entry\.py\)")

        done = wait_for_status(server, "s", "complete")
        assert done["output"] == "version 2"
        assert counts(server) == {"before": 1, "after": 1}


SLOW_STEP = """
async def run(self, event, step):
    @step.do("before")
    async def before():
        await self.ran("before")

    await before()

    @step.do("slow", config={"retries": {"limit": 3, "delay": 10, "backoff": "constant"}})
    async def slow():
        await self.ran("slow")
        import asyncio
        await asyncio.sleep(1.0)
        return "version 1"

    return await slow()
"""


def test_a_step_in_flight_during_a_save_ends_where_it_is_and_is_not_repeated(
    tmp_path: Path,
) -> None:
    project = workflow_project(tmp_path / "p", SLOW_STEP)
    with DevServer(project) as server:
        create(server, "s")
        eventually(lambda: counts(server).get("slow") == 1)

        edit(project, "version 1", "version 2")
        server.wait_for(r"reloaded in")

        done = wait_for_status(server, "s", "complete")
        assert done["output"] == "version 1"
        assert counts(server) == {"before": 1, "slow": 1}


def test_kill_9_of_the_host_during_a_step_repeats_that_step_only(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", SLOW_STEP)
    with DevServer(project) as first:
        create(first, "s")
        eventually(lambda: counts(first).get("slow") == 1)
        first.kill()

    with DevServer(project) as second:
        wait_for_status(second, "s", "complete")

        assert counts(second) == {"before": 1, "slow": 2}


def test_kill_9_of_the_guest_during_a_step_repeats_that_step_only(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SLOW_STEP)) as server:
        create(server, "s")
        eventually(lambda: counts(server).get("slow") == 1)

        server.kill_guest()

        wait_for_status(server, "s", "complete")
        assert counts(server) == {"before": 1, "slow": 2}
        server.wait_for("exited with signal 9")


PARALLEL = """
async def run(self, event, step):
    import asyncio

    @step.do("quick")
    async def quick():
        await self.ran("quick")
        return "q"

    @step.do("slow", config={"retries": {"limit": 3, "delay": 10, "backoff": "constant"}})
    async def slow():
        await self.ran("slow")
        await asyncio.sleep(1.0)
        return "s"

    return await asyncio.gather(quick(), slow())
"""


def test_kill_9_of_the_guest_during_a_parallel_pair_keeps_the_finished_half(
    tmp_path: Path,
) -> None:
    with DevServer(workflow_project(tmp_path / "p", PARALLEL)) as server:
        create(server, "g")
        server.wait_for("flow g: quick done")
        eventually(lambda: counts(server).get("slow") == 1)

        server.kill_guest()

        done = wait_for_status(server, "g", "complete")
        assert done["output"] == ["q", "s"]
        assert counts(server) == {"quick": 1, "slow": 2}


def test_kill_9_of_the_host_during_a_parallel_pair_keeps_the_finished_half(
    tmp_path: Path,
) -> None:
    project = workflow_project(tmp_path / "p", PARALLEL)
    with DevServer(project) as first:
        create(first, "g")
        first.wait_for("flow g: quick done")
        eventually(lambda: counts(first).get("slow") == 1)
        first.kill()

    with DevServer(project) as second:
        done = wait_for_status(second, "g", "complete")
        assert done["output"] == ["q", "s"]
        assert counts(second) == {"quick": 1, "slow": 2}


EVENTS = """
async def run(self, event, step):
    approval = await step.wait_for_event("approval", "approved", timeout="1 hour")
    return approval["payload"]["by"]
"""


def test_an_event_reaches_the_step_that_waits_for_it(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", EVENTS)) as server:
        create(server, "e")
        wait_for_status(server, "e", "waiting")

        assert server.post("/event/e/approved", json={"by": "ada"}).status_code == 200

        assert wait_for_status(server, "e", "complete")["output"] == "ada"


def test_a_waiting_instance_receives_its_event_after_kill_9_of_the_host(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", EVENTS)
    with DevServer(project) as first:
        create(first, "e")
        wait_for_status(first, "e", "waiting")
        first.kill()

    with DevServer(project) as second:
        assert status(second, "e")["status"] == "waiting"
        second.post("/event/e/approved", json={"by": "bob"})
        assert wait_for_status(second, "e", "complete")["output"] == "bob"


def test_pause_keeps_a_sleeper_asleep_until_it_is_resumed(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SLEEPING)) as server:
        create(server, "s", {"nap": "1 second"})
        wait_for_status(server, "s", "waiting")

        server.post("/pause/s")
        assert status(server, "s")["status"] == "paused"
        server.post("/resume/s")

        wait_for_status(server, "s", "complete")
        assert counts(server) == {"before": 1, "after": 1}


def test_a_terminated_instance_runs_nothing_more_and_can_be_restarted(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SLEEPING)) as server:
        create(server, "s", {"nap": "1 second"})
        wait_for_status(server, "s", "waiting")
        server.post("/terminate/s")
        assert status(server, "s")["status"] == "terminated"
        assert "cannot_terminate" in server.post("/terminate/s").text

        server.post("/restart/s")

        wait_for_status(server, "s", "complete")
        assert counts(server) == {"before": 2, "after": 1}


RAISING = """
async def run(self, event, step):
    @step.do("divide", config={"retries": {"limit": 0, "delay": 1}})
    async def divide():
        return 1 / 0

    try:
        await divide()
    except Exception:
        raise KeyError("after the step")
"""


def test_errors_of_steps_and_of_run_are_shown_with_the_users_own_traceback(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", RAISING)) as server:
        create(server, "r")

        wait_for_status(server, "r", "errored")

        server.wait_for(r"flow \S+ \| +return 1 / 0")
        server.wait_for(r"flow \S+ \| ZeroDivisionError: division by zero")
        server.wait_for(r"flow \S+ \| KeyError: 'after the step'")
        assert "guest/python" not in server.output


FALLING_THROUGH = RAISING.replace('raise KeyError("after the step")', "raise")


def test_a_steps_error_that_ends_the_run_is_shown_once(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", FALLING_THROUGH)) as server:
        create(server, "r")

        wait_for_status(server, "r", "errored")

        server.wait_for("errored: ZeroDivisionError")
        assert server.output.count(" | Traceback") == 1


UNCLONEABLE = """
async def run(self, event, step):
    @step.do("odd")
    async def odd():
        await self.ran("odd")
        return object()

    return await odd()
"""


def test_a_step_result_that_cannot_be_stored_ends_the_instance_and_says_why(
    tmp_path: Path,
) -> None:
    with DevServer(workflow_project(tmp_path / "p", UNCLONEABLE)) as server:
        create(server, "u")

        ended = wait_for_status(server, "u", "errored")

        assert ended["error"]["message"] == (
            'The execution of the Workflow instance was terminated, as the step "odd"'
            " returned a value which is not serialisable"
        )
        assert counts(server) == {"odd": 1}


def test_params_over_one_mebibyte_are_refused(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", SEQUENCE)) as server:
        response = server.post("/create", json={"id": "big", "params": {"n": "x" * 1_100_000}})

        assert response.status_code == 500
        assert "Maximum allowed size is 1MiB" in response.text


CONTEXT = """
async def run(self, event, step):
    @step.do("look", config={"timeout": "1 minute"})
    async def look(ctx):
        return ctx

    return await look()
"""


def test_the_step_context_shows_the_full_configuration_and_nothing_else(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", CONTEXT)) as server:
        create(server, "c")

        assert wait_for_status(server, "c", "complete")["output"] == {
            "attempt": 1,
            "step": {"name": "look", "count": 1},
            "config": {
                "retries": {"limit": 5, "delay": 10000, "backoff": "exponential"},
                "timeout": "1 minute",
            },
        }
