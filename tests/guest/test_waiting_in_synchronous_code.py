"""`run_sync` and what is built on it, in a real guest: many requests wait in synchronous code."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.guest.test_bindings import seen
from tests.runner.running import Running, run, write

# One worker for most tests: each path is one of its functions.
WORKER = """
import asyncio, contextvars, threading, time
from pyodide.ffi import can_run_sync, run_sync
from workers import Response, WorkerEntrypoint

AT_IMPORT = [can_run_sync()]
try:
    run_sync(asyncio.sleep(0))
except RuntimeError as error:
    AT_IMPORT.append(str(error))

doors = {}
order = []
seen = []
variable = contextvars.ContextVar("variable", default="none")


def door(name):
    if name not in doors:
        doors[name] = asyncio.get_running_loop().create_future()
    return doors[name]


def ring(n, size):
    '''Waits for the next one of the ring; the last one for nothing.'''
    if n + 1 < size:
        value = run_sync(door(n + 1))
    else:
        value = 0
    order.append(n)
    door(n).set_result(value + 1)
    return value + 1


def wait_at(name):
    order.append(f"in {name}")
    run_sync(door(name))
    order.append(f"out {name}")
    return name


def open_all():
    for future in list(doors.values()):
        if not future.done():
            future.set_result(1)
    return len(doors)


def keeps_contexts():
    task = asyncio.current_task()
    variable.set("mine")
    run_sync(asyncio.sleep(0.01))
    return [variable.get(), asyncio.current_task() is task, asyncio.current_task().get_name() != "",
            asyncio.get_running_loop() is asyncio.get_event_loop()]


async def raises():
    await asyncio.sleep(0)
    raise LookupError("from inside")


def exceptions():
    try:
        run_sync(raises())
    except LookupError as error:
        return [str(error), error.__traceback__.tb_next is not None]


async def nested(depth):
    await asyncio.sleep(0)
    return depth if depth == 0 else 1 + run_sync(nested(depth - 1))


def runs():
    '''asyncio.run, Runner and run_until_complete, from synchronous code.'''
    async def two():
        await asyncio.sleep(0.001)
        return 2
    with asyncio.Runner() as runner:
        a = runner.run(two())
        b = runner.run(two())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    c = loop.run_until_complete(two())
    left = loop.create_task(asyncio.sleep(60))
    mine = len(asyncio.all_tasks(loop))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.gather(left, return_exceptions=True))
    loop.close()
    asyncio.set_event_loop(None)
    running = asyncio.get_event_loop()
    e = running.run_until_complete(asyncio.ensure_future(two()))
    return [asyncio.run(two()), a, b, c, e, mine, left.cancelled(), loop.is_closed(),
            running.is_closed()]


async def a_library():
    here = threading.get_ident()
    return here == await asyncio.to_thread(threading.get_ident)


def threads():
    def of_a_thread():
        context = contextvars.copy_context()
        found = []
        waits = asyncio.sleep(0.01, "from a thread")
        thread = threading.Thread(target=lambda: found.append(context.run(run_sync, waits)))
        thread.start()
        while thread.is_alive():
            run_sync(asyncio.sleep(0.001))
        return found[0]
    inline = run_sync(a_library())
    loop = asyncio.get_running_loop()
    return [inline, loop.run_in_executor(None, lambda: 5).result(), of_a_thread()]


def sleeps():
    time.sleep(0.05)
    return True


def cancelled():
    try:
        run_sync(asyncio.sleep(60))
    except asyncio.CancelledError:
        seen.append("cancelled")
        run_sync(asyncio.sleep(0))
        seen.append("cleaned up")
        raise


async def timed_out():
    '''As in Pyodide: a timeout does not reach into run_sync, but the next await.'''
    try:
        async with asyncio.timeout(0.001):
            run_sync(asyncio.sleep(0.01))
            seen.append("on")
            await asyncio.sleep(1)
    except TimeoutError:
        seen.append("timeout")
    await asyncio.sleep(0)
    return seen


def leaves_for_others():
    import sys
    sys.exit(3)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        result = eval(request.url.rpartition("/")[2].replace("%22", '"'))
        if asyncio.iscoroutine(result):
            result = await result
        return Response.json(result)
"""


def playing(folder: Path, scenario: Any) -> Any:
    write(folder, {"src/entry.py": WORKER})

    async def loaded(it: Running) -> None:
        await it.load()
        await scenario(it)

    return run(folder, loaded)


async def ask(it: Running, code: str) -> Any:
    return json.loads(await it.get(f"/{code}"))


def answers(folder: Path, *codes: str) -> list[Any]:
    found: list[Any] = []

    async def scenario(it: Running) -> None:
        for code in codes:
            found.append(await ask(it, code))

    playing(folder, scenario)
    return found


async def until_answer(it: Running, code: str, expected: Any) -> None:
    while await ask(it, code) != expected:
        await asyncio.sleep(0.005)


def test_what_waits_keeps_its_task_its_context_and_its_errors(tmp_path: Path) -> None:
    assert answers(
        tmp_path,
        "AT_IMPORT",
        "can_run_sync()",
        "keeps_contexts()",
        "exceptions()",
        "nested(20)",
        "sleeps()",
        "timed_out()",
    ) == [
        [False, "No suspender"],
        True,
        ["mine", True, True, True],
        ["from inside", True],
        20,
        True,
        ["on", "timeout"],
    ]


def test_loops_of_user_code_run_inside_a_handler_and_end_alone(tmp_path: Path) -> None:
    assert answers(tmp_path, "runs()") == [[2, 2, 2, 2, 2, 1, True, True, False]]


def test_functions_for_another_thread_run_at_once_and_threads_may_wait(tmp_path: Path) -> None:
    assert answers(tmp_path, "threads()") == [[True, 5, "from a thread"]]


@pytest.mark.imports_packages
def test_pytest_runs_inside_a_handler_as_the_sdks_own_tests_do(tmp_path: Path) -> None:
    inner = tmp_path / "src" / "inner"
    inner.mkdir(parents=True)
    (inner / "test_inner.py").write_text(
        "import asyncio\n"
        "from pyodide.ffi import run_sync\n"
        "async def later(): return await asyncio.sleep(0.01, 7)\n"
        "def test_waits(): assert run_sync(later()) == 7\n"
        "def test_loop(): assert asyncio.run(later()) == 7\n"
        "async def test_async(): assert await later() == 7\n"
    )
    code = """
import io
from contextlib import redirect_stdout
import pytest
more = "no:cacheprovider no:xdist no:randomly no:timeout no:anyio no:hypothesispytest".split()
with redirect_stdout(io.StringIO()) as told:
    code = pytest.main(["-q", "-o", "asyncio_mode=auto", "--rootdir", "src/inner", "src/inner",
                        *(f"-p{each}" for each in more)])
out = [int(code), "3 passed" in told.getvalue()]
"""
    assert seen(tmp_path, code, {}) == [0, True]


def test_what_anyio_hands_to_a_thread_runs_at_once(tmp_path: Path) -> None:
    run_in_thread = "async def run_sync(func, *args, **options):\n    raise NotImplementedError\n"
    write(tmp_path, {"src/anyio/__init__.py": "", "src/anyio/to_thread.py": run_in_thread})
    code = """
import anyio.to_thread, threading
here = threading.get_ident()
out = [await anyio.to_thread.run_sync(threading.get_ident, abandon_on_cancel=True) == here,
       await anyio.to_thread.run_sync(max, 1, 2)]
"""
    assert seen(tmp_path, code, {}) == [True, 2]


def test_a_hundred_handlers_that_wait_for_one_another_in_a_ring_finish(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        asked = [ask(it, f"ring({n},100)") for n in range(100)]
        assert await asyncio.gather(*asked) == [100 - n for n in range(100)]
        assert await ask(it, "order") == list(range(99, -1, -1))

    playing(tmp_path, scenario)


def test_fifty_that_are_let_go_together_go_on_in_the_order_in_which_they_came(
    tmp_path: Path,
) -> None:
    async def scenario(it: Running) -> None:
        waiting = [asyncio.ensure_future(ask(it, f"wait_at({n})")) for n in range(50)]
        await until_answer(it, "len(order)", 50)
        came = [int(name.removeprefix("in ")) for name in await ask(it, "order")]
        await ask(it, "open_all()")
        await asyncio.gather(*waiting)
        assert await ask(it, "order[50:]") == [f"out {n}" for n in came]

    playing(tmp_path, scenario)


def test_a_handler_that_waits_is_cancelled_when_its_client_goes(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        task = asyncio.ensure_future(it.get("/cancelled()"))
        await until_answer(it, "len(asyncio.all_tasks())>2", True)
        task.cancel()
        await until_answer(it, "seen", ["cancelled", "cleaned up"])

    playing(tmp_path, scenario)


def test_too_many_that_wait_get_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        code = "run_sync(asyncio.gather(*[nested_wait() for _ in range(1200)],return_exceptions=1))"
        errors = await ask(it, f"[str(e) for e in {code} if e]".replace(" ", "%20"))
        assert len(errors) == 201
        assert errors[0].startswith("run_sync: 1,000 calls wait already in this worker.")
        assert await ask(it, "keeps_contexts()") == ["mine", True, True, True]

    write(
        tmp_path,
        {
            "src/entry.py": WORKER.replace(
                "def leaves_for_others",
                "async def nested_wait():\n    run_sync(asyncio.sleep(0.3))\n\n\n"
                "def leaves_for_others",
            ).replace('"%22", \'"\')', '"%20", " ")')
        },
    )

    async def loaded(it: Running) -> None:
        await it.load()
        await scenario(it)

    run(tmp_path, loaded)
