"""Requests through a real guest: bodies both ways, cancellation, errors."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emulator.protocol.windows import CHUNK_BYTES, WINDOW_BYTES
from emulator.runner.requests import HandlerError
from tests.runner.running import DEADLINE_S, Running, read, run, write

MEGABYTE = 1024 * 1024
LARGE_BYTES = 50 * MEGABYTE


def worker(folder: Path, body: str) -> Path:
    """Write a worker whose `fetch` has this body."""
    lines = "\n".join(f"        {line}" for line in body.strip("\n").splitlines())
    source = (
        "import asyncio\n"
        "from workers import Response, WorkerEntrypoint, wait_until\n\n"
        "class Default(WorkerEntrypoint):\n"
        f"    async def fetch(self, request):\n{lines}\n"
    )
    return write(folder, {"src/entry.py": source})


async def chunks(total_bytes: int, size: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
    """Yield `total_bytes` in pieces of `size`."""
    piece = b"x" * size
    for _ in range(total_bytes // size):
        yield piece


async def until(check: object, what: str) -> None:
    """Wait until `check()` is true."""
    end = asyncio.get_running_loop().time() + DEADLINE_S
    while not check():  # type: ignore[operator]
        assert asyncio.get_running_loop().time() < end, f"not in time: {what}"
        await asyncio.sleep(0.01)


def test_method_url_and_headers_arrive_as_sent(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "h = request.headers\n"
        "return Response.json([request.method, request.url, h['X-A'], h['x-none'],"
        " h.get_all('x-b')])",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        headers = [("X-A", "1"), ("X-B", "2"), ("x-b", "3")]
        _, _, body = await read(await it.fetch("/a?b=c", "PUT", headers=headers))
        assert body == b'["PUT", "http://localhost/a?b=c", "1", null, ["2, 3"]]'

    run(tmp_path, scenario)


def test_repeated_response_headers_are_kept(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "return Response('x', 201, headers=[('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')])",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        reply = await it.fetch()
        cookies = [value for name, value in reply.headers if name == "Set-Cookie"]
        assert (reply.status, cookies) == (201, ["a=1", "b=2"])
        await reply.close()

    run(tmp_path, scenario)


def test_fetch_may_take_fewer_arguments_or_all_of_the_old_ones(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    def fetch(self, request, env, ctx):
                        return Response(f"{request.method} {env} {ctx}")
                """
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"GET None None"
        write(
            tmp_path,
            {
                "src/entry.py": """
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        return Response("nothing asked")
                """
            },
        )
        await it.load()
        assert await it.get() == b"nothing asked"

    run(tmp_path, scenario)


def test_a_large_upload_is_read_as_it_comes(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "size = 0\nasync for chunk in request.body:\n    size += len(chunk)\n"
        "return Response(str(size))",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        _, _, body = await read(await it.fetch(method="POST", body=chunks(LARGE_BYTES)))
        assert body == str(LARGE_BYTES).encode()

    run(tmp_path, scenario)


def test_a_large_echo_needs_little_memory_on_either_side(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "import resource\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "async def echo(start):\n"
        "    async for chunk in request.body:\n"
        "        yield chunk\n"
        "    print(peak() - start)\n"
        "return Response(echo(peak()))",
    )

    def peak_kilobytes() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def scenario(it: Running) -> None:
        await it.load()
        before = peak_kilobytes()
        reply = await it.fetch(method="POST", body=chunks(LARGE_BYTES))
        size = 0
        assert reply.body is not None
        async for chunk in reply.body:
            size += len(chunk)
        assert size == LARGE_BYTES
        assert peak_kilobytes() - before < 10 * 1024
        await until(lambda: it.heard.lines, "the guest's own peak")

    heard = run(tmp_path, scenario)
    assert int(heard.printed("stdout")[0]) < 10 * 1024


def test_a_body_nobody_reads_stops_its_writer_at_the_window(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "async def endless():\n"
        "    for number in range(10_000):\n"
        "        print(number)\n"
        f"        yield b'x' * {CHUNK_BYTES}\n"
        "return Response(endless())",
    )
    window_chunks = WINDOW_BYTES // CHUNK_BYTES

    async def scenario(it: Running) -> None:
        await it.load()
        reply = await it.fetch()
        await until(lambda: len(it.heard.lines) > window_chunks, "a full window")
        assert await it.runner.current.stack()  # type: ignore[union-attr]  # it is idle
        assert it.heard.printed("stdout")[-1] == str(window_chunks)
        await reply.close()

    run(tmp_path, scenario)


def test_closing_a_response_closes_the_generator_behind_it(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "async def endless():\n"
        "    try:\n"
        "        while True:\n"
        "            yield b'tick'\n"
        "            await asyncio.sleep(0.001)\n"
        "    finally:\n"
        "        print('closed')\n"
        "return Response(endless())",
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        reply = await it.fetch()
        assert reply.body is not None
        assert await anext(reply.body) == b"tick"
        await reply.close()
        await guest.drain(10_000)
        await until(lambda: it.heard.printed("stdout") == ["closed"], "closed")

    run(tmp_path, scenario)


def test_a_client_that_goes_away_cancels_the_handler(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "print('started')\n"
        "try:\n    await asyncio.Event().wait()\nfinally:\n    print('cancelled')",
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        fetching = asyncio.ensure_future(it.fetch())
        await until(lambda: it.heard.lines, "started")
        fetching.cancel()
        await guest.drain(10_000)
        await until(lambda: it.heard.printed("stdout")[-1] == "cancelled", "cancelled")

    run(tmp_path, scenario)


def test_a_request_body_cut_off_raises_in_the_handler(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "try:\n    await request.bytes()\nexcept Exception as error:\n"
        "    return Response(str(error))",
    )

    async def cut_off() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError("the line went dead")

    async def scenario(it: Running) -> None:
        await it.load()
        _, _, body = await read(await it.fetch(method="POST", body=cut_off()))
        assert body == b"Error: the line went dead"

    run(tmp_path, scenario)


def test_a_request_body_nobody_reads_does_not_keep_the_request_open(tmp_path: Path) -> None:
    worker(tmp_path, "return Response('not interested')")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        reply = await it.fetch(method="POST", body=chunks(10 * MEGABYTE))
        assert (await read(reply))[2] == b"not interested"
        await guest.drain(10_000)

    run(tmp_path, scenario)


def test_an_exception_in_the_handler_carries_the_users_own_traceback(tmp_path: Path) -> None:
    worker(tmp_path, "def inner():\n    raise KeyError('id')\ninner()")

    async def scenario(it: Running) -> None:
        await it.load()
        with pytest.raises(HandlerError) as raised:
            await it.fetch()
        error = raised.value
        assert (error.name, error.message) == ("KeyError", "'id'")
        assert error.traceback.count("  File ") == 2
        assert f'File "{tmp_path}/src/entry.py", line 8, in fetch' in error.traceback

    run(tmp_path, scenario)


def test_an_exception_in_the_middle_of_a_body_raises_at_its_reader(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "async def body():\n    yield b'half'\n    raise ValueError('lost')\n"
        "return Response(body())",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        reply = await it.fetch()
        assert reply.body is not None
        assert await anext(reply.body) == b"half"
        with pytest.raises(HandlerError, match="ValueError: lost"):
            await anext(reply.body)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{'a': 1}", "the Promise did not resolve to 'Response'"),
        ("'text'", "the Promise did not resolve to 'Response'"),
        ("None", "the Promise did not resolve to 'Response'"),
        ("('a', 1)", r"<class 'tuple'> cannot be sent over RPC\."),
        ("Response({'a': 1})", "Unsupported type in Response: dict"),
        ("Response(bytearray(b'a'))", "Unsupported type in Response: bytearray"),
        ("Response('x', 600)", "in the range 200 to 599, inclusive"),
        ("Response('x', 204)", "with null body status"),
        ("Response('x', headers={'a': 'b\\r\\nc: d'})", "Invalid header value for a"),
        ("Response('x', headers=7)", "Received unexpected type for headers argument"),
    ],
)
def test_a_result_that_is_not_a_response_is_refused_as_in_production(
    tmp_path: Path, returned: str, message: str
) -> None:
    worker(tmp_path, f"return {returned}")

    async def scenario(it: Running) -> None:
        await it.load()
        with pytest.raises(HandlerError, match=message):
            await it.fetch()

    run(tmp_path, scenario)


def test_sys_exit_in_a_handler_fails_the_request_and_not_the_guest(tmp_path: Path) -> None:
    worker(
        tmp_path, "import sys\nif 'exit' in request.url:\n    sys.exit(1)\nreturn Response('up')"
    )

    async def scenario(it: Running) -> None:
        await it.load()
        with pytest.raises(HandlerError, match="SystemExit"):
            await it.fetch("/exit")
        assert await it.get() == b"up"

    run(tmp_path, scenario)


def test_a_guest_drains_until_what_wait_until_was_given_is_done(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "async def later():\n    await asyncio.sleep(0.05)\n    print('later')\n"
        "wait_until(later())\nself.ctx.waitUntil(later())\nreturn Response('now')",
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        assert await it.get() == b"now"
        assert it.heard.printed("stdout") == []
        await guest.drain(10_000)
        await until(lambda: it.heard.printed("stdout") == ["later"] * 2, "later")

    run(tmp_path, scenario)


def test_draining_gives_up_at_its_limit(tmp_path: Path) -> None:
    worker(tmp_path, "wait_until(asyncio.Event().wait())\nreturn Response('now')")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        await it.get()
        with pytest.raises(TimeoutError):
            await guest.drain(50)

    run(tmp_path, scenario)


def test_many_requests_at_once_get_their_own_answers(tmp_path: Path) -> None:
    worker(tmp_path, "await asyncio.sleep(0)\nreturn Response(request.url)")

    async def scenario(it: Running) -> None:
        await it.load()
        bodies = await asyncio.gather(*(it.get(f"/{number}") for number in range(500)))
        assert bodies == [f"http://localhost/{number}".encode() for number in range(500)]

    run(tmp_path, scenario)
