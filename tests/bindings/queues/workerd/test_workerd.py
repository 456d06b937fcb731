"""Cloudflare's own producer, in the real workerd, on our queue."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bindings.queues.broker import Broker
from bindings.queues.http import answer
from bindings.queues.queue import Queue
from emulator.clock import SystemClock
from tests.bindings.queues.calls import CALLS
from tests.bindings.workerd import ask_workerd_with

pytestmark = pytest.mark.wrangler

WORKER = Path(__file__).with_name("worker.mjs")


def test_every_call_is_kept_or_refused_as_the_table_says(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "q.sqlite", SystemClock().now_ms, "NORMAL")
    queue = Queue(broker, "jobs")
    calls = [{"method": method, "args": args, "odd": odd} for method, args, odd, _ in CALLS]
    calls.append({"method": "send", "args": [], "odd": "undefined"})
    calls.append({"method": "metrics", "args": []})
    try:
        answers = ask_workerd_with(
            tmp_path, WORKER, 'queue = "binding"', partial(answer, queue), calls
        )
        kept = broker.peek("jobs", 100)
    finally:
        asyncio.run(broker.close())

    expected = [wanted for *_, wanted in CALLS if isinstance(wanted, str)]
    errors = [each["error"] for each in answers if "error" in each]
    assert errors == [*expected, "TypeError: Message body cannot be undefined"]
    shown = [(each.content_type, each.body.decode("latin-1")) for each in kept]
    for _, _, _, wanted in CALLS:
        if isinstance(wanted, tuple):
            assert (wanted[0], wanted[1].encode().decode("latin-1")) in shown or wanted in shown
    assert answers[0]["ok"]["metadata"]["metrics"]["backlogCount"] == 1
    assert answers[-1]["ok"]["backlogCount"] == len(kept) == 8
