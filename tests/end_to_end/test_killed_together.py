"""Host and forkserver killed together: no guest is left, not even one that computes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import make_project
from tests.end_to_end.server import is_running
from tests.end_to_end.test_reload import PLAIN
from tests.waiting import eventually

COMPUTES = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print("computing", flush=True)
        while True:
            pass
"""


@pytest.mark.parametrize("first", ["forkserver", "host"])
def test_a_guest_that_computes_ends_with_its_host_and_forkserver(
    tmp_path: Path, serve: Serve, first: str
) -> None:
    """The one that is killed last is stopped before, so that it cannot kill the guest."""
    server = serve(make_project(tmp_path / "p", COMPUTES, PLAIN))
    asking = threading.Thread(target=lambda: pytest.raises(httpx.HTTPError, server.get, "/"))
    asking.start()
    server.wait_for("computing")
    (guest,) = server.guest_pids()
    (forkserver,) = [child.pid for child in psutil.Process(server.pid).children()]

    pids = [forkserver, server.pid]
    killed, stopped = pids if first == "forkserver" else reversed(pids)
    os.kill(stopped, signal.SIGSTOP)
    os.kill(killed, signal.SIGKILL)
    os.kill(stopped, signal.SIGKILL)

    eventually(lambda: not is_running(guest))
    server.kill()
    asking.join()


WATCHES = """
import sys
from emulator.guest.python.parent import end_at_hang_up

end_at_hang_up(int(sys.argv[1]))
print("computing", flush=True)
while True:
    pass
"""


def test_where_the_kernel_sends_no_signal_a_guest_ends_when_its_hosts_socket_closes() -> None:
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [sys.executable, "-c", WATCHES, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as guest:
        theirs.close()
        assert guest.stdout is not None
        assert guest.stdout.readline() == b"computing\n"
        ours.send(b"what is sent does not end it")
        assert guest.poll() is None

        ours.close()

        assert guest.wait(20) == -signal.SIGKILL
