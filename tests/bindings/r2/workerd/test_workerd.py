"""Cloudflare's own R2 client, in the real workerd, on our bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bindings.http import HttpAnswer, StreamedAnswer
from bindings.r2.blobs import pieces
from bindings.r2.bucket import Bucket
from bindings.r2.http import answer
from bindings.r2.r2 import R2
from emulator.clock import SystemClock
from tests.bindings.r2.calls import CALLS
from tests.bindings.workerd import ask_workerd_with

pytestmark = pytest.mark.wrangler

WORKER = Path(__file__).with_name("worker.mjs")


def test_every_call_gives_what_the_table_says(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path / "b", SystemClock().now_ms)
    r2 = R2(bucket, tmp_path)

    async def asked(
        method: str, target: str, headers: dict[str, str], body: bytes
    ) -> HttpAnswer | StreamedAnswer:
        return await answer(r2, method, target, headers, pieces(body))

    calls = [{"method": method, "args": args} for method, args, _ in CALLS]
    try:
        answers = ask_workerd_with(tmp_path, WORKER, 'r2Bucket = "binding"', asked, calls)
    finally:
        asyncio.run(bucket.close())

    found = [each.get("error", each.get("ok")) for each in answers]
    differing = [
        (call, here, expected)
        for call, here, (*_, expected) in zip(calls, found, CALLS, strict=True)
        if here != expected
    ]
    assert differing == []
