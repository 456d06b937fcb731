"""Cloudflare's own KV client, in the real workerd, on our namespace."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bindings.kv.http import answer
from bindings.kv.kv import Kv
from emulator.clock import SystemClock
from tests.bindings.kv.calls import CALLS
from tests.bindings.workerd import ask_workerd_with

pytestmark = pytest.mark.wrangler

WORKER = Path(__file__).with_name("worker.mjs")


def test_every_call_gives_what_the_table_says(tmp_path: Path) -> None:
    kv = Kv(tmp_path / "kv.sqlite", SystemClock().now_ms)
    calls = [{"method": method, "args": args, "odd": odd} for method, args, odd, _ in CALLS]
    try:
        answers = ask_workerd_with(
            tmp_path, WORKER, 'kvNamespace = "binding"', partial(answer, kv), calls
        )
    finally:
        asyncio.run(kv.close())

    found = [each.get("error", each.get("ok")) for each in answers]
    assert list(zip(calls, found, strict=True)) == list(
        zip(calls, [expected for *_, expected in CALLS], strict=True)
    )
