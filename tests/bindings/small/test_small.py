"""Rate limits, data points and secrets: each row of what they accept and refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bindings.analytics.analytics import KEPT_MS, Dataset, Datasets, read_point
from bindings.ratelimit.ratelimit import Counts, RateLimit
from bindings.secrets.secrets import SecretBinding, Secrets
from emulator.clock import VirtualClock
from emulator.errors import WorkerError
from tests.bindings.killed import acknowledged

NO_INTEGER = "The value cannot be converted because it is not an integer."


def limited(limiter: RateLimit, options: Any) -> bool:
    return bool(asyncio.run(limiter.call("limit", [options]))["success"])


def test_a_key_is_limited_until_its_window_is_over() -> None:
    clock = VirtualClock()
    limiter = RateLimit(Counts(clock.now_ms), 2, 10)

    assert [limited(limiter, {"key": "a"}) for _ in range(3)] == [True, True, False]
    assert limited(limiter, {"key": "b"})
    clock.advance(9_999)
    assert not limited(limiter, {"key": "a"})
    clock.advance(1)
    assert limited(limiter, {"key": "a"})


def test_a_call_may_count_more_and_pass_the_limit_once() -> None:
    limiter = RateLimit(Counts(VirtualClock().now_ms), 5, 60)
    assert [limited(limiter, {"key": "a", "delta": 4}) for _ in range(3)] == [True, True, False]


def test_bindings_of_one_namespace_share_their_counts_by_period() -> None:
    counts = Counts(VirtualClock().now_ms)
    first, second, slow = (
        RateLimit(counts, 1, 10),
        RateLimit(counts, 1, 10),
        RateLimit(counts, 1, 60),
    )
    assert [limited(each, {"key": "a"}) for each in (first, second, slow)] == [True, False, True]


@pytest.mark.parametrize(
    ("options", "name", "message"),
    [
        (None, "Error", "invalid rate limit options"),
        ({"key": "a", "x": 1, "y": 2}, "Error", "bad rate limit options: [x,y]"),
        ({"key": 5}, "Error", "invalid key: 5"),
        ({"limit": "1"}, "Error", "limit must be a number: 1"),
        ({"period": 11}, "Error", "unsupported period: 11"),
        ({"delta": 0}, "RangeError", "delta must be non-zero"),
        ({"delta": 0.5}, "RangeError", "delta must be non-zero"),
        (
            {"delta": "x"},
            "TypeError",
            "The value cannot be converted because it is not an integer.",
        ),
        (
            {"delta": -1},
            "TypeError",
            "The value cannot be converted because it is negative and this API expects a positive "
            "number.",
        ),
        (
            {"delta": 2**32},
            "TypeError",
            "Value out of range. Must be less than or equal to 4294967295.",
        ),
    ],
)
def test_wrong_options_of_a_rate_limit(options: Any, name: str, message: str) -> None:
    limiter = RateLimit(Counts(VirtualClock().now_ms), 1, 10)
    with pytest.raises(WorkerError) as caught:
        limited(limiter, options)
    assert (caught.value.name, caught.value.message) == (name, message)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"blobs": ["x"] * 21}, "Maximum of 20 blobs supported."),
        ({"doubles": [1] * 21}, "Maximum of 20 doubles supported."),
        ({"indexes": ["a", "b"]}, "Maximum of 1 indexes supported."),
        ({"blobs": "x"}, "blobs is not an array."),
        ({"doubles": ["x"]}, "doubles has a value that is not a number."),
        ({"blobs": ["x" * 16_385]}, "Cumulative size of blobs exceeds 16384 bytes."),
        ({"indexes": ["x" * 97]}, "Size of indexes[0] exceeds 96 bytes."),
    ],
)
def test_a_wrong_data_point_is_refused(point: Any, message: str) -> None:
    with pytest.raises(WorkerError, match="^writeDataPoint") as caught:
        read_point(point, 0)
    assert caught.value.message == f"writeDataPoint(): {message}"


def test_data_points_are_kept_for_ninety_days(tmp_path: Path) -> None:
    clock = VirtualClock()

    async def work(datasets: Datasets) -> list[Any]:
        dataset = Dataset(datasets, "d")
        await dataset.call("writeDataPoint", [{"blobs": ["old", None, b"x"], "doubles": [1, True]}])
        (old,) = datasets.newest("d", 10)
        assert (old.blobs, old.doubles, old.index) == (["old", "", "x"], [1.0, 1.0], "")
        clock.advance(KEPT_MS + 1)
        await dataset.call("writeDataPoint", [{"indexes": ["new"]}])
        return [each.index for each in datasets.newest("d", 10)]

    async def run(work: Callable[[Datasets], Awaitable[list[Any]]]) -> list[Any]:
        datasets = Datasets(tmp_path / "p.sqlite", clock.now_ms, "NORMAL")
        try:
            return await work(datasets)
        finally:
            await datasets.close()

    assert asyncio.run(run(work)) == ["new"]


def test_a_secret_is_created_replaced_read_and_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        found = Secrets(tmp_path / "s.sqlite", VirtualClock().now_ms, "NORMAL")
        secret = SecretBinding(found, "store", "key")
        with pytest.raises(WorkerError, match='^Secret "key" not found$'):
            await secret.call("get", [])
        await found.put("store", "key", "one")
        first = found.all_of("store")
        await found.put("store", "key", "two")
        assert await secret.call("get", []) == "two"
        assert [each.id for each in found.all_of("store")] == [each.id for each in first]
        assert found.all_of("other") == []
        assert await found.delete("store", "key") and not await found.delete("store", "key")
        await found.close()

    asyncio.run(run())


WRITES = """
import asyncio, sys
from pathlib import Path
from bindings.analytics.analytics import Datasets
from emulator.clock import SystemClock

async def main():
    datasets = Datasets(Path(sys.argv[1]), SystemClock().now_ms, "FULL")
    for n in range(10 ** 9):
        await datasets.add("d", {"doubles": [n]})
        print(n, flush=True)

asyncio.run(main())
"""


def test_a_data_point_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    told = acknowledged(WRITES, 20, tmp_path / "p.sqlite")
    datasets = Datasets(tmp_path / "p.sqlite", VirtualClock().now_ms, "NORMAL")
    found = {each.doubles[0] for each in datasets.newest("d", 1_000_000)}
    asyncio.run(datasets.close())
    assert set(map(float, told)) <= found
