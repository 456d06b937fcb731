"""KV against a plain model, time that goes by, reads that lag, and files that are removed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from bindings.kv.kv import Kv
from bindings.kv.namespace import EXPIRED_AT_ONCE
from bindings.kv.wrangler_state import read_wrangler
from emulator.clock import VirtualClock
from emulator.errors import EmulatorError, WorkerError
from emulator.sqlite import connect

T = TypeVar("T")


def with_kv(path: Path, work: Callable[[Kv, VirtualClock], Awaitable[T]], *, lag_ms: int = 0) -> T:
    """Run `work` on a namespace in `path`, whose clock stands still, and close it."""

    async def run() -> T:
        clock = VirtualClock()
        kv = Kv(path, clock.now_ms, lag_ms=lag_ms)
        try:
            return await work(kv, clock)
        finally:
            await kv.close()

    return asyncio.run(run())


async def keys_of(kv: Kv, prefix: str = "", limit: int = 1_000) -> list[str]:
    """Return the keys that begin with `prefix`, read page by page."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await kv.list_keys(prefix, limit, cursor)
        found += [key.name for key in page.keys]
        cursor = page.cursor
    return found


KEYS = some.sampled_from(["a", "b", "aa", "ab", "é", "a\U0001f600", "a￿", "z"])
DOINGS = some.lists(
    some.one_of(
        some.tuples(some.just("put"), KEYS, some.sampled_from([None, 60, 61, 3_600])),
        some.tuples(some.just("delete"), KEYS, some.none()),
        some.tuples(some.just("wait"), some.just(""), some.sampled_from([1, 59, 60, 4_000])),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(doings=DOINGS, prefix=some.sampled_from(["", "a", "é", "a￿"]), limit=some.integers(1, 4))
def test_it_does_what_a_dict_with_expiry_does(
    tmp_path: Path, doings: list[tuple[str, str, int | None]], prefix: str, limit: int
) -> None:
    path = tmp_path / "kv" / "kv.sqlite"
    shutil.rmtree(path.parent, ignore_errors=True)

    async def work(kv: Kv, clock: VirtualClock) -> None:
        model: dict[str, tuple[bytes, float]] = {}
        for number, (doing, key, span) in enumerate(doings):
            now_s = clock.now_ms() // 1000
            if doing == "wait":
                clock.advance((span or 0) * 1000)
            elif doing == "delete":
                await kv.delete(key)
                model.pop(key, None)
            else:
                await kv.put(key, str(number).encode(), ttl=span)
                model[key] = str(number).encode(), now_s + span if span else float("inf")
        alive = {key: value for key, (value, end) in model.items() if end > clock.now_ms() // 1000}
        found = {key: await kv.get(key) for key in model}
        assert {key: entry.value for key, entry in found.items() if entry is not None} == alive
        expected = sorted((key for key in alive if key.startswith(prefix)), key=str.encode)
        assert await keys_of(kv, prefix, limit) == expected

    with_kv(path, work)


def test_an_expired_key_is_gone_and_its_room_is_freed(tmp_path: Path) -> None:
    async def work(kv: Kv, clock: VirtualClock) -> None:
        for n in range(EXPIRED_AT_ONCE + 1):
            await kv.put(str(n), b"x", ttl=60)
        clock.advance(59_999)
        assert await kv.get("0") is not None
        clock.advance(1)
        assert await kv.get("0") is None
        assert await keys_of(kv) == []
        await kv.put("new", b"x")
        await kv.put("new", b"x")
        count = "SELECT count(*) FROM entries"
        assert kv.namespace.store.read(lambda on: on.execute(count).fetchone()) == (1,)

    with_kv(tmp_path / "kv.sqlite", work)


def test_with_propagation_a_read_lags_behind_writes(tmp_path: Path) -> None:
    async def work(kv: Kv, clock: VirtualClock) -> list[bytes | None]:
        async def value() -> bytes | None:
            entry = await kv.get("k")
            return None if entry is None else entry.value

        found = [await value()]
        await kv.put("k", b"1")
        found.append(await value())
        clock.advance(60_000)
        found.append(await value())
        await kv.put("k", b"2")
        clock.advance(59_999)
        found.append(await value())
        clock.advance(1)
        return [*found, await value()]

    assert with_kv(tmp_path / "kv.sqlite", work, lag_ms=60_000) == [None, None, b"1", b"1", b"2"]


def test_a_write_that_fails_leaves_the_others_of_its_commit(tmp_path: Path) -> None:
    async def work(kv: Kv, clock: VirtualClock) -> list[str]:
        async def broken() -> None:
            def fail(connection: object) -> None:
                raise WorkerError("no")

            await kv.namespace.store.write(fail)

        done = await asyncio.gather(
            kv.put("a", b"1"), broken(), kv.put("b", b"2"), return_exceptions=True
        )
        return [repr(each) for each in done] + await keys_of(kv)

    found = with_kv(tmp_path / "kv.sqlite", work)
    assert found == ["None", "WorkerError('no')", "None", "a", "b"]


def test_a_file_that_is_removed_while_it_is_open_takes_no_more_writes(tmp_path: Path) -> None:
    path = tmp_path / "kv.sqlite"

    async def work(kv: Kv, clock: VirtualClock) -> None:
        await kv.put("a", b"1")
        path.unlink()
        assert "was removed or replaced" in kv.removed()
        with pytest.raises(WorkerError, match="was removed or replaced"):
            await kv.put("a", b"2")

    with_kv(path, work)


def test_a_file_of_a_newer_version_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "kv.sqlite"
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    before = path.read_bytes()

    async def work(kv: Kv, clock: VirtualClock) -> None:
        with pytest.raises(WorkerError, match="has version 9"):
            await kv.get("a")

    with_kv(path, work)
    assert path.read_bytes() == before


def test_a_namespace_that_wrangler_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="cannot be read"):
        list(read_wrangler(tmp_path, "none"))
