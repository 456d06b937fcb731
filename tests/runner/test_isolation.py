"""What a guest sees of its host, what it leaves behind, and what it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.runner.python.forkserver import Forkserver
from tests.runner.forks import GUEST_PYTHON
from tests.runner.running import Running, run
from tests.runner.test_requests import until, worker
from tests.waiting import eventually

SECRET = "s3cr3t-value-of-the-host"


def test_a_program_user_code_starts_inherits_no_descriptor_of_ours(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "import subprocess, sys\n"
        "code = 'import os; print(sorted(map(int, os.listdir(\"/dev/fd\"))))'\n"
        "out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,"
        " close_fds=False)\n"
        "return Response(out.stdout)",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        await it.load()  # a second guest must not hold the first one's descriptors either
        assert json.loads(await it.get()) == [0, 1, 2, 3]  # 3: the listing of the folder itself

    run(tmp_path, scenario)


def test_a_guest_holds_only_its_own_descriptors(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "import os\n"
        "links = []\n"
        "for fd in os.listdir('/proc/self/fd'):\n"
        "    try:\n"
        "        links.append(os.readlink(f'/proc/self/fd/{fd}'))\n"
        "    except OSError:\n"
        "        pass\n"
        "return Response.json([link.split(':')[0] for link in links].count('pipe'))",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        await it.load()
        assert await it.get() == b"2"  # its stdout and stderr

    run(tmp_path, scenario)


def test_the_hosts_environment_stays_with_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", SECRET)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    worker(tmp_path, "import os\nreturn Response.json(dict(os.environ))")

    async def scenario(it: Running) -> None:
        await it.load()
        environment = json.loads(await it.get())
        assert SECRET not in environment.values()
        assert "PYTHONPATH" not in environment
        assert environment["TZ"] == "UTC"

    run(tmp_path, scenario, source=Forkserver(Path(GUEST_PYTHON)))


def test_secrets_reach_env_and_no_command_line_or_output(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "import pathlib\n"
        "seen = pathlib.Path('/proc/self/cmdline').read_text() + str(__import__('os').environ)\n"
        "return Response(f'{self.env.TOKEN} {self.env.TOKEN in seen}')",
    )

    async def scenario(it: Running) -> None:
        await it.load(variables={"TOKEN": SECRET})
        assert await it.get() == f"{SECRET} False".encode()

    heard = run(tmp_path, scenario)
    assert SECRET not in repr(heard)


def test_variables_keep_their_types(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "from workers import env\n"
        "return Response(f'{env.LIMIT + 1} {env.NESTED.list[0].name} {self.env.FLAG}'"
        ' f\' {getattr(env, "NONE", "missing")}\')',
    )

    async def scenario(it: Running) -> None:
        nested = {"list": [{"name": "ada"}]}
        await it.load(variables={"LIMIT": 1, "NESTED": nested, "FLAG": True})
        assert await it.get() == b"2 ada True missing"

    run(tmp_path, scenario)


def test_output_is_labelled_line_by_line(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "import logging, sys\n"
        "print('one\\ntwo')\n"
        "print('to stderr', file=sys.stderr)\n"
        "logging.warning('careful')\n"
        "print('snow: \\u2603')\n"
        "sys.stdout.write('no line end')\nsys.stdout.flush()\n"
        "return Response('done')",
    )

    async def scenario(it: Running) -> None:
        guest = await it.load()
        await it.get()
        await guest.stop()

    heard = run(tmp_path, scenario)
    assert {line.generation for line in heard.lines} == {1}
    assert heard.printed("stdout") == ["one", "two", "snow: ☃", "no line end"]
    assert heard.printed("stderr") == ["to stderr", "WARNING:root:careful"]


def test_an_endless_line_is_passed_on_in_pieces(tmp_path: Path) -> None:
    worker(tmp_path, "print('x' * 200_000)\nreturn Response('done')")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        await it.get()
        await guest.stop()

    lines = run(tmp_path, scenario).printed("stdout")
    assert len(lines) == 4
    assert "".join(lines) == "x" * 200_000


HOST = """
import asyncio, sys
from pathlib import Path
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.runner import Runner
from tests.runner.running import Recorder, spec

async def main():
    heard = Recorder()
    forkserver = Forkserver(Path(sys.executable))
    runner = Runner(forkserver, heard, lambda line: print(line.text, flush=True), print, 30_000)
    await runner.start()
    guest = await runner.load(spec(Path(sys.argv[1])), {})
    print(forkserver.pid, guest.pid, flush=True)
    runner.switch(guest)
    from emulator.runner.requests import FetchRequest
    await runner.fetch(FetchRequest("GET", "http://localhost/", []))

asyncio.run(main())
"""


@pytest.mark.parametrize("handler", ["await asyncio.Event().wait()", "while True: pass"])
def test_a_host_that_is_killed_leaves_no_process_behind(tmp_path: Path, handler: str) -> None:
    worker(tmp_path, f"print('in it')\n{handler}")
    script = tmp_path / "host.py"
    script.write_text(HOST)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as host:
        assert host.stdout is not None
        pids = [int(pid) for pid in host.stdout.readline().split()]
        assert host.stdout.readline() == "in it\n"

        host.kill()

        eventually(lambda: not any(map(_is_running, pids)))


def test_stopping_the_runner_leaves_no_process_behind(tmp_path: Path) -> None:
    worker(tmp_path, "return Response('up')")
    forkserver = Forkserver(Path(GUEST_PYTHON))
    pids: list[int] = []

    async def scenario(it: Running) -> None:
        for _ in range(2):
            pids.append((await it.load()).pid)
        assert forkserver.pid is not None
        pids.append(forkserver.pid)

    run(tmp_path, scenario, source=forkserver)
    assert not any(map(_is_running, pids))


def test_a_ctrl_c_at_the_terminal_is_not_for_guests(tmp_path: Path) -> None:
    worker(tmp_path, "import os\nreturn Response(str(os.getsid(0)))")

    async def scenario(it: Running) -> None:
        await it.load()
        assert int(await it.get()) != os.getsid(0)

    run(tmp_path, scenario)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_guest_killed_from_outside_is_a_loss(tmp_path: Path) -> None:
    worker(tmp_path, "return Response('up')")

    async def scenario(it: Running) -> None:
        guest = await it.load()
        os.kill(guest.pid, signal.SIGKILL)
        assert await guest.lost == "exited with signal 9"
        await until(lambda: it.heard.losses, "loss")

    run(tmp_path, scenario)
