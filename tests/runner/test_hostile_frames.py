"""User code that writes its own frames to the host: the guest is lost, the host goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from bindings.binding import Binding
from emulator.protocol.runs import RunMessage, RunStart, StepBegin
from emulator.runner import binding_calls, connection, exchanges
from emulator.runner.guest import Guest
from emulator.runner.requests import FetchReply, GuestLost, HandlerError
from emulator.server.http.loop import loop_factory
from tests.runner.running import Recorder, Running, run, write

# `say` writes a frame past our own code, at once, on the socket that carries the conversation.
HOSTILE = """
import asyncio, gc, json, struct
from workers import Response, WorkerEntrypoint

def say(payload=b"", times=1, **header):
    head = json.dumps(header).encode()
    size = struct.pack(">II", 4 + len(head) + len(payload), len(head))
    host = next(o for o in gc.get_objects() if type(o).__name__ == "Connection")
    host._transport.write((size + head + payload) * times)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        {body}
        await asyncio.Event().wait()
"""


def hostile(folder: Path, body: str) -> None:
    write(folder, {"src/entry.py": HOSTILE.format(body=body)})


class Slow(Binding):
    """Answers `wait` never, everything else at once with `answer`."""

    kind = "d1"
    answer: Any = None

    async def call(self, method: str, args: list[Any]) -> Any:
        if method == "wait":
            await asyncio.Event().wait()
        return self.answer

    async def close(self) -> None:
        pass


def breaks_the_protocol(folder: Path, body: str, reason: str) -> None:
    """Check that the request of a guest that runs `body` fails, and why."""
    hostile(folder, body)

    async def scenario(it: Running) -> None:
        guest = await it.load({"DB": Slow()})
        with pytest.raises(GuestLost, match="broke the runner protocol"):
            await it.fetch()
        assert reason in await guest.lost

    run(folder, scenario)


@pytest.mark.parametrize("headers", [["x", 1], [[1, 2]], [["a", "b", "c"]], [["only"]]])
def test_response_headers_that_are_not_pairs_of_text_break_the_protocol(
    tmp_path: Path, headers: list[Any]
) -> None:
    body = f"say(type='fetch_response', id=0, status=200, headers={headers!r})"
    breaks_the_protocol(tmp_path, body, "headers")


def test_a_second_response_to_one_request_breaks_the_protocol(tmp_path: Path) -> None:
    hostile(
        tmp_path,
        "for _ in range(2):"
        " say(type='fetch_response', id=0, status=200, headers=[], has_body=True)",
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        reply = await it.fetch()
        assert reply.body is not None
        with pytest.raises(GuestLost):
            async for _ in reply.body:
                pass
        assert "answered twice" in await guest.lost

    run(tmp_path, scenario)


def test_an_id_that_is_in_use_breaks_the_protocol(tmp_path: Path) -> None:
    call = "type='binding_call', id=1, binding='DB', method='wait'"
    breaks_the_protocol(tmp_path, f"say(b'[]', 2, {call})", "id 1")


def test_an_id_of_the_hosts_breaks_the_protocol(tmp_path: Path) -> None:
    call = "type='binding_call', id=2, binding='DB', method='wait'"
    breaks_the_protocol(tmp_path, f"say(b'[]', {call})", "id 2")


@pytest.mark.parametrize("amount", [0, -1_000_000_000])
def test_credit_that_gives_no_room_breaks_the_protocol(tmp_path: Path, amount: int) -> None:
    breaks_the_protocol(tmp_path, f"say(type='credit', id=0, bytes={amount})", "credit")


def test_a_message_that_the_host_cannot_cope_with_costs_its_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hostile(
        tmp_path,
        "say(type='step_begin', run=1, call=1, kind='evil', name='x', count=1, options={});"
        " return Response('fine')",
    )

    def cannot(self: Recorder, guest: Guest, message: RunMessage) -> None:
        assert isinstance(message, StepBegin)
        raise KeyError(message.kind)

    monkeypatch.setattr(Recorder, "hear", cannot)

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"fine"
        assert await it.get() == b"fine"

    heard = run(tmp_path, scenario)
    assert heard.reports == ["step_begin could not be handled: KeyError('evil')"] * 2
    assert "KeyError: 'evil'" in caplog.text


def test_a_message_that_the_host_cannot_cope_with_costs_its_request_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hostile(tmp_path, "return Response('fine', int(request.url.rpartition('/')[2]))")

    def cannot(status: int, *rest: Any) -> FetchReply:
        if status == 201:
            raise KeyError(status)
        return FetchReply(status, *rest)

    monkeypatch.setattr(exchanges, "FetchReply", cannot)

    async def scenario(it: Running) -> None:
        await it.load()
        with pytest.raises(HandlerError, match="fetch_response could not be handled: KeyError"):
            await it.fetch("/201")
        assert await it.get("/200") == b"fine"

    run(tmp_path, scenario)
    assert "KeyError: 201" in caplog.text


def test_more_binding_calls_at_once_than_the_host_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding_calls, "CALLS_MAX", 3)
    write(
        tmp_path,
        {
            "src/entry.py": """
                import asyncio
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        calls = [self.env.DB.exec("select 1") for _ in range(3)]
                        try:
                            await self.env.DB.exec("select 1")
                        except Exception as error:
                            return Response(str(error))
                """
        },
    )

    class Never(Slow):
        async def call(self, method: str, args: list[Any]) -> Any:
            await asyncio.Event().wait()

    async def scenario(it: Running) -> None:
        await it.load({"DB": Never()})
        assert b"3 binding calls" in await it.get()

    run(tmp_path, scenario)


def answer(size: int) -> list[dict[str, Any]]:
    """Return what D1 answers to `exec`, and so many bytes with it."""
    return [{"meta": {"duration": 0}, "more": "x" * size}]


ASKS_AND_DOES_NOT_READ = """
import asyncio, threading
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self):
        calls = asyncio.gather(*(self.env.DB.exec("x") for _ in range(20)))
        await asyncio.sleep(0.01)
        threading.Event().wait({seconds})
        await calls
        return Response("ok")
"""


def test_a_guest_that_does_not_read_is_killed_as_one_that_hangs(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": ASKS_AND_DOES_NOT_READ.format(seconds=20)})
    binding = Slow()
    binding.answer = answer(1024 * 1024)

    async def scenario(it: Running) -> None:
        guest = await it.load({"DB": binding})
        with pytest.raises(GuestLost, match="did not respond"):
            await it.fetch()
        assert "did not respond for 1 s" in await guest.lost

    run(tmp_path, scenario, hang_timeout_ms=1_000)


def test_what_a_guest_asks_for_begins_only_when_it_has_read_most_of_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "UNREAD_HIGH_BYTES", 3 * 1024 * 1024)
    monkeypatch.setattr(connection, "UNREAD_LOW_BYTES", 1024 * 1024)
    write(tmp_path, {"src/entry.py": ASKS_AND_DOES_NOT_READ.format(seconds=1)})
    most: list[int] = []

    class Watched(Slow):
        async def call(self, method: str, args: list[Any]) -> Any:
            guest = it_is[0]
            most.append(guest.connection.unread_bytes)
            return answer(1024 * 1024)

    it_is: list[Guest] = []

    async def scenario(it: Running) -> None:
        it_is.append(await it.load({"DB": Watched()}))
        assert await it.get() == b"ok"

    run(tmp_path, scenario)
    assert len(most) == 20
    assert max(most) < 4 * 1024 * 1024


def test_results_that_come_at_once_and_are_more_than_is_kept_fail_their_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding_calls, "RESULTS_MAX_BYTES", 4 * 1024 * 1024)
    write(
        tmp_path,
        {
            "src/entry.py": """
                import asyncio
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        calls = [self.env.DB.exec("x") for _ in range(8)]
                        found = await asyncio.gather(*calls, return_exceptions=True)
                        errors = [str(each) for each in found if isinstance(each, Exception)]
                        return Response(f"{len(errors)} {errors[0]}")
                """
        },
    )
    at_once = asyncio.Event()

    class AllAtOnce(Slow):
        begun = 0

        async def call(self, method: str, args: list[Any]) -> Any:
            self.begun += 1
            if self.begun == 8:
                at_once.set()
            await at_once.wait()
            return answer(1024 * 1024)

    async def scenario(it: Running) -> None:
        await it.load({"DB": AllAtOnce()})
        told = (await it.get()).decode()
        assert 0 < int(told.split()[0]) < 8
        assert "Await some calls before making more" in told

    run(tmp_path, scenario)


def test_a_guest_that_reads_slowly_does_not_count_as_hung(tmp_path: Path) -> None:
    """Each piece of what it was sent keeps it busy; in all that takes longer than the timeout."""
    write(
        tmp_path,
        {
            "src/entry.py": """
                import asyncio, threading
                from workers import Response, WorkerEntrypoint

                async def call(db):
                    await db.exec("x")
                    threading.Event().wait(0.3)

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        await asyncio.gather(*(call(self.env.DB) for _ in range(8)))
                        return Response("read")
                """
        },
    )
    binding = Slow()
    binding.answer = answer(8 * 1024 * 1024)

    async def scenario(it: Running) -> None:
        await it.load({"DB": binding})
        assert await it.get() == b"read"

    run(tmp_path, scenario, hang_timeout_ms=1_000)


def test_a_pong_for_a_ping_that_was_not_sent_breaks_the_protocol(tmp_path: Path) -> None:
    hostile(tmp_path, "say(type='pong', number=1000)")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        with pytest.raises(GuestLost):
            await it.fetch()
        assert "pong 1000, of" in await guest.lost

    run(tmp_path, scenario)


@pytest.mark.skipif(loop_factory() is None, reason="asyncio's own transports ignore such writes")
def test_sending_to_a_guest_that_was_just_cut_off_is_not_an_error() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        troubles: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: troubles.append(context))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            _, conversation = await loop.create_unix_connection(
                lambda: connection.Connection(loop, {}, lambda error, run: None), sock=ours
            )
            conversation.close()
            conversation.send(RunStart(1, "Flow", "flow", "i"))
            await conversation.closed
            await asyncio.sleep(0)
        assert not troubles

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(scenario())


def test_a_noisy_program_that_outlives_its_guest_does_not_stop_the_host(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    write(
        tmp_path,
        {
            "src/entry.py": f"""
                import os, pathlib, subprocess
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        noise = subprocess.Popen(["yes", "x" * 4000])
                        pathlib.Path({str(pid_file)!r}).write_text(str(noise.pid))
                        os._exit(3)
                """
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        try:
            with pytest.raises(GuestLost, match="status 3"):
                await it.fetch()
        finally:
            os.kill(int(pid_file.read_text()), signal.SIGKILL)

    run(tmp_path, scenario)
