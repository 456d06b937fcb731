"""What `benchmarks.reloading` tries on each server: one function per row of its table.

Each starts an instance, edits the worker's source or kills the server, and returns what was seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

import httpx

from benchmarks.orders import Order, within
from benchmarks.peers import Peer
from benchmarks.processes import tree_of
from benchmarks.servers import Server, running, running_again

NAP_SECONDS = 4  # NAP of the worker
PATIENCE_SECONDS = 8  # how long to wait for an instance after it was due
SAVES_UNDER_LOAD = 20
PAUSE_SECONDS = 0.5
REST_SECONDS = 0.02
CLIENTS = 4


def asleep(peer: Peer) -> str:
    return _save_while(peer, "sleep")


def waiting(peer: Peer) -> str:
    return _save_while(peer, "event")


def in_a_step(peer: Peer) -> str:
    return _save_while(peer, "step")


def step_renamed(peer: Peer) -> str:
    return _misfit(peer, '"charge", "charge"', '"charge card", "charge"')


def step_removed(peer: Peer) -> str:
    return _misfit(peer, 'await note(step, "charge", "charge")', "")


def sleep_changed(peer: Peer) -> str:
    return _misfit(peer, f"{NAP_SECONDS} seconds", "2 seconds")


def killed_asleep(peer: Peer) -> str:
    return _killed_while(peer, "sleep", "charge")


def killed_in_a_step(peer: Peer) -> str:
    return _killed_while(peer, "step", "pack begins")


def broken_save(peer: Peer) -> str:
    with running(peer) as server:
        order = Order(server, "sleep")
        order.await_effect("charge")
        good = server.source.read_text()
        server.source.write_text(good + "\n)(\n")
        time.sleep(2)
        meanwhile = _answer(server, seconds=1)
        server.source.write_text(good.replace("version 0", "version 1"))
        began = time.perf_counter()
        corrected = within(PATIENCE_SECONDS, lambda: _answer(server) == "version 1")
        seconds = time.perf_counter() - began
        after = f"corrected in {seconds:.2f} s" if corrected else "not corrected by the next save"
        return f"meanwhile {meanwhile}; {after}; {_outcome(order)}"


def requests_during_saves(peer: Peer) -> str:
    with running(peer) as server:
        stop = threading.Event()
        outcomes: list[bool] = []
        port = server.client.base_url.port
        assert port is not None
        clients = [
            threading.Thread(target=_request_until, args=(stop, port, outcomes))
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        try:
            for number in range(1, SAVES_UNDER_LOAD + 1):
                _save(server, f"version {number - 1}", f"version {number}")
                time.sleep(PAUSE_SECONDS)
        finally:
            stop.set()
            for client in clients:
                client.join()
        return f"{outcomes.count(False)} of {len(outcomes)} failed"


def _save_while(peer: Peer, kind: str) -> str:
    with running(peer) as server:
        order = Order(server, kind)
        order.await_effect("pack begins" if kind == "step" else "charge")
        _save(server, "version 0", "version 1")
        if kind == "event":
            order.approve()
        return _outcome(order)


def _misfit(peer: Peer, old: str, new: str) -> str:
    """Change a step that a sleeping instance has done, or does; undo it if the instance is held."""
    with running(peer) as server:
        order = Order(server, "sleep")
        order.await_effect("charge")
        good = server.source.read_text()
        said = len(server.log.read_text())
        began = time.perf_counter()
        server.source.write_text(good.replace(old, new).replace("version 0", "version 1"))
        order.ended_within(NAP_SECONDS + PATIENCE_SECONDS)
        seconds = time.perf_counter() - began
        status = order.status()
        ended = f"{status} {seconds:.0f} s after the save" if status == "complete" else status
        told = "told" if order.id in _said_since(server, said) else "nobody told"
        seen = f"{ended}, {order.summary().removeprefix(f'{status}; ')}; {told}"
        if status != "paused":
            return seen
        server.source.write_text(good.replace("version 0", "version 2"))
        order.ended_within(PATIENCE_SECONDS)
        return f"{seen}. Undone: {order.summary()}"


def _killed_while(peer: Peer, kind: str, effect: str) -> str:
    with running(peer) as server:
        order = Order(server, kind)
        order.await_effect(effect)
        for process in tree_of(server.pid):
            process.kill()
        with running_again(server) as again:
            order.moved_to(again)
            return _outcome(order)


def _outcome(order: Order) -> str:
    order.ended_within(NAP_SECONDS + PATIENCE_SECONDS)
    return order.summary()


def _save(server: Server, old: str, new: str) -> None:
    """Save the worker with `old` replaced, and return when the new code answers."""
    server.source.write_text(server.source.read_text().replace(old, new))
    if not within(PATIENCE_SECONDS, lambda: _answer(server) == new):
        raise TimeoutError(f"{server.peer.name} did not take up a save: {_answer(server)!r}")


def _answer(server: Server, seconds: float = PATIENCE_SECONDS) -> str:
    try:
        response = server.client.get("/version", timeout=seconds)
    except httpx.TransportError as error:
        return type(error).__name__
    return response.text if response.is_success else f"status {response.status_code}"


def _said_since(server: Server, position: int) -> str:
    """Return what the server printed since, without the log of requests, which has ids too."""
    lines = server.log.read_text()[position:].splitlines()
    return "\n".join(line for line in lines if "GET" not in line)


def _request_until(stop: threading.Event, port: int, outcomes: list[bool]) -> None:
    """Send requests, each on a new connection, and note whether they succeed."""
    while not stop.is_set():
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/version")
            outcomes.append(connection.getresponse().status == httpx.codes.OK)
        except (OSError, HTTPException):
            outcomes.append(False)
        finally:
            connection.close()
        # A refused connection takes no time: without a pause, an outage would count many times.
        time.sleep(REST_SECONDS)


CASES: dict[str, Callable[[Peer], str]] = {
    "saved while an instance sleeps": asleep,
    "saved while it waits for an event, which is sent then": waiting,
    "saved while a step of 3 s is in flight": in_a_step,
    "saved with a finished step renamed, while it sleeps": step_renamed,
    "saved with a finished step removed, while it sleeps": step_removed,
    "saved with the duration of its sleep changed": sleep_changed,
    "all processes killed (SIGKILL) while it sleeps, then started": killed_asleep,
    "all processes killed (SIGKILL) while a step is in flight, then started": killed_in_a_step,
    "a syntax error saved while it sleeps, corrected 2 s later": broken_save,
    "20 saves under continuous requests": requests_during_saves,
}
