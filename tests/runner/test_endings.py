"""Guests that end, hang or break the protocol: said once, replaced by whoever is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from emulator.engine.guests.blame import Cause
from emulator.protocol.exchanges import Data
from emulator.protocol.runs import RunStart
from emulator.runner.guest import Guest
from emulator.runner.requests import GuestLost
from tests.runner.running import Running, run, write
from tests.runner.test_requests import until, worker


@pytest.mark.parametrize(
    ("crime", "ending", "cause"),
    [
        ("import os; os._exit(3)", "exited with status 3", Cause.ITSELF),
        ("import os; os.kill(os.getpid(), 9)", "exited with signal 9", Cause.KILLED),
        ("import os; os.kill(os.getpid(), 15)", "exited with signal 15", Cause.KILLED),
        ("import ctypes; ctypes.string_at(0)", "exited with signal 11", Cause.ITSELF),
    ],
)
def test_a_request_whose_guest_dies_fails_with_how_and_doing_what(
    tmp_path: Path, crime: str, ending: str, cause: Cause
) -> None:
    worker(tmp_path, crime)

    async def scenario(it: Running) -> None:
        told: list[tuple[Guest, str]] = []
        it.runner.on_lost = lambda guest, reason: told.append((guest, reason))
        guest = await it.load()

        with pytest.raises(GuestLost, match=f"guest 1 {ending} while handling GET /x"):
            await it.fetch("/x")

        assert await guest.lost == f"{ending} while handling GET /x"
        await until(lambda: told, "on_lost")
        assert told == [(guest, f"{ending} while handling GET /x")]
        assert it.heard.losses == [(1, ending)]
        assert it.heard.causes == [(cause, 0, True)]  # a request was in flight
        assert it.runner.current is None

    run(tmp_path, scenario)


def test_the_stack_of_a_segfault_is_on_stderr_before_the_loss_is_told(tmp_path: Path) -> None:
    worker(tmp_path, "import ctypes\nctypes.string_at(0)")

    async def scenario(it: Running) -> None:
        await it.load()
        with pytest.raises(GuestLost):
            await it.fetch()
        assert it.heard.printed("stderr")[0] == "Fatal Python error: Segmentation fault"
        assert any("in fetch" in line for line in it.heard.printed("stderr"))

    run(tmp_path, scenario)


def test_the_next_generation_serves_after_a_loss(tmp_path: Path) -> None:
    worker(tmp_path, "import os\nif 'die' in request.url:\n    os._exit(1)\nreturn Response('up')")

    async def scenario(it: Running) -> None:
        await it.load()
        with pytest.raises(GuestLost):
            await it.fetch("/die")
        with pytest.raises(GuestLost, match="no generation of the worker is running"):
            await it.fetch()

        await it.load()

        assert await it.get() == b"up"

    run(tmp_path, scenario)


def test_an_answer_that_was_sent_before_the_guest_died_is_delivered(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "import os\nasyncio.get_running_loop().call_later(0.01, os._exit, 0)\n"
        "return Response('last')",
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        reply = await it.fetch()
        await guest.lost
        assert reply.body is not None
        assert [chunk async for chunk in reply.body] == [b"last"]

    run(tmp_path, scenario)


def test_a_guest_that_loops_for_ever_is_shown_named_and_killed(tmp_path: Path) -> None:
    worker(tmp_path, "def spin():\n    while True: pass\nspin()")

    async def scenario(it: Running) -> None:
        it.heard.work = ['instance "order-17", step "charge" #1, attempt 2']
        guest = await it.load()

        with pytest.raises(GuestLost, match="did not respond for 0.2 s and was killed"):
            await it.fetch("/slow")

        reason = await guest.lost
        assert "did not respond for 0.2 s and was killed" in reason
        (report,) = it.heard.reports
        assert report.startswith(
            "guest 1 did not respond for 0.2 s while handling GET /slow, "
            'running instance "order-17", step "charge" #1, attempt 2.'
        )
        assert any("in spin" in line for line in it.heard.printed("stderr"))
        assert it.heard.causes == [(Cause.REQUEST, 0, True)]

    run(tmp_path, scenario, hang_timeout_ms=200)


@pytest.mark.parametrize("hang", ["while True: pass", "threading.Event().wait(60)"])
def test_it_is_known_which_of_several_runs_hangs(tmp_path: Path, hang: str) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": f"""
                import asyncio, threading
                from workers import WorkflowEntrypoint

                class Order(WorkflowEntrypoint):
                    async def run(self, event, step):
                        await asyncio.sleep(0.05)
                        if event["instanceId"] == "bad":
                            {hang}
                        await asyncio.Event().wait()
                """
        },
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        for number, name in ((1, "good"), (2, "bad"), (3, "fine")):
            guest.send(RunStart(number, "Order", "order", name, b"{}"))
        assert "did not respond" in await guest.lost
        assert it.heard.causes == [(Cause.ENDED, 2, False)]
        assert "groundfog: this runs for workflow run 2" in it.heard.printed("stderr")

    run(tmp_path, scenario, hang_timeout_ms=300)


def test_a_breach_is_told_with_the_run_that_it_was_about(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                import asyncio, gc, json, struct
                from workers import WorkflowEntrypoint

                class Order(WorkflowEntrypoint):
                    async def run(self, event, step):
                        if event["instanceId"] == "bad":
                            head = json.dumps({"type": "run_abort", "run": 2}).encode()
                            size = struct.pack(">II", 4 + len(head), len(head))
                            host = next(
                                o for o in gc.get_objects() if type(o).__name__ == "Connection"
                            )
                            host._transport.write(size + head)
                        await asyncio.Event().wait()
                """
        },
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        for number, name in ((1, "good"), (2, "bad")):
            guest.send(RunStart(number, "Order", "order", name, b"{}"))
        assert "broke the runner protocol" in await guest.lost
        ((cause, culprit, others),) = it.heard.causes
        assert (cause, culprit, others) == (Cause.ENDED, 2, False)

    run(tmp_path, scenario)


def test_a_guest_that_hangs_in_a_workflow_run_is_noticed_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                from workers import WorkflowEntrypoint

                class Order(WorkflowEntrypoint):
                    async def run(self, event, step):
                        while True: pass
                """
        },
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        guest.send(RunStart(1, "Order", "order", "order-17", b"{}"))
        assert "did not respond" in await guest.lost

    run(tmp_path, scenario, hang_timeout_ms=200)


def test_a_slow_handler_that_awaits_is_not_a_hang(tmp_path: Path) -> None:
    worker(tmp_path, "await asyncio.sleep(1)\nreturn Response('slow')")

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"slow"

    assert run(tmp_path, scenario, hang_timeout_ms=200).reports == []


def test_a_guest_that_breaks_the_protocol_is_killed_and_said_so(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                import os
                from workers import WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        for fd in range(3, 20):
                            try:
                                os.write(fd, b"this is no frame at all")
                            except OSError:
                                pass
                        import asyncio
                        await asyncio.Event().wait()
                """
        },
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        with pytest.raises(GuestLost, match="broke the runner protocol"):
            await it.fetch()
        assert "a frame claims" in await guest.lost

    run(tmp_path, scenario)


def test_a_body_that_overruns_its_window_breaks_the_protocol(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                from workers import Response, WorkerEntrypoint, env
                from _groundfog.protocol.exchanges import Data

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        async def body():
                            for _ in range(10):
                                env.AI._caller._send(Data(0, bytes(64 * 1024)))
                            yield b""
                        return Response(body())
                """
        },
    )

    async def scenario(it: Running) -> None:
        guest = await it.load(kinds={"AI": {"kind": "ai"}})
        reply = await it.fetch()
        assert "more data than there was room for" in await guest.lost
        await reply.close()

    run(tmp_path, scenario)


def test_stopping_a_guest_is_not_a_loss(tmp_path: Path) -> None:
    worker(tmp_path, "return Response('up')")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        await it.get()
        await guest.stop()
        assert not guest.lost.done()
        with pytest.raises(GuestLost, match="guest 1 is not running any more"):
            await it.fetch()

    assert run(tmp_path, scenario).losses == []


def test_stopping_a_guest_that_is_stuck_kills_it(tmp_path: Path) -> None:
    worker(tmp_path, "print('stuck')\nwhile True: pass")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        fetching = asyncio.ensure_future(it.fetch())
        await until(lambda: it.heard.lines, "stuck")
        await guest.stop()
        with pytest.raises(GuestLost, match="was stopped while handling GET /"):
            await fetching

    run(tmp_path, scenario)


def test_messages_to_a_guest_that_is_gone_are_ignored(tmp_path: Path) -> None:
    worker(tmp_path, "return Response('up')")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        await guest.stop()
        guest.send(RunStart(1, "Order", "order", "order-17", b"{}"))
        guest.send(Data(0, b"late"))

    run(tmp_path, scenario)
