"""What a test of a worker costs beside what it tests: `python -m benchmarks.testing [TESTS]`.

It opens workers as the pytest plugin does. Each figure is the median of all tests, but the first.
Processor time, which a busy machine changes less, is that of all processes.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from groundfog.testing import Groundfog, Worker

PROJECT = Path(__file__).parents[1] / "fixtures" / "orders"
TESTS = 30
BETWEEN_S = 0.2  # between two tests, so that the next worker can be opened: as long as a short test


def main() -> None:
    """Measure and print."""
    tests = int(sys.argv[1]) if len(sys.argv) > 1 else TESTS
    began = time.perf_counter()
    with Groundfog() as groundfog:
        _one(groundfog)
        print(f"{'first test, with the start of the host':<48}{_shown(_since(began))}")
        apart = [_timed(lambda: _one(groundfog, pause=BETWEEN_S)) - BETWEEN_S for _ in range(tests)]
        print(f"{'each further test, after one of 0.2 s':<48}{_median(apart)}")
        before, began = _processor_seconds(groundfog), time.perf_counter()
        for _ in range(tests):
            _one(groundfog)
        print(
            f"{'each further test, one right after the other':<48}{_shown(_since(began) / tests)}"
        )
        spent = (_processor_seconds(groundfog) - before) / tests
        print(f"{'  processor time of all processes':<48}{_shown(spent)}")
        with groundfog.worker(PROJECT) as worker:
            resets = [_reset(worker) for _ in range(tests)]
            print(f"{'reset(), after a test of 0.2 s':<48}{_median(resets)}")
            month = [_month(worker) for _ in range(tests)]
        print(f"{'a workflow of 30 days, an event and 3 attempts':<48}{_median(month)}")


def _one(groundfog: Groundfog, pause: float = 0.0) -> None:
    """What the plugin does for a test, and the smallest test there is."""
    with groundfog.worker(PROJECT) as worker:
        worker.get("/echo").raise_for_status()
        time.sleep(pause)


def _reset(worker: Worker) -> float:
    time.sleep(BETWEEN_S)
    return _timed(worker.reset)


def _month(worker: Worker) -> float:
    worker.reset()
    worker.get("/echo").raise_for_status()

    def test() -> None:
        with worker.introspect_workflow("ORDERS") as orders:
            orders.mock_step_error("charge", "busy", times=2)
            orders.mock_event("approved", {"by": "ada"})
            worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
            assert orders.one().result() == {"by": "ada", "charged": True}

    return _timed(test)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return _since(began)


def _since(began: float) -> float:
    return time.perf_counter() - began


def _processor_seconds(groundfog: Groundfog) -> float:
    """Return the processor time of this process, the host, and all that were its children."""
    host = psutil.Process(groundfog.host.pid)
    total = 0.0
    for process in (psutil.Process(os.getpid()), host, *host.children(recursive=True)):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def _median(seconds: list[float]) -> str:
    return f"{_shown(statistics.median(seconds))} (up to {_shown(max(seconds))})"


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
