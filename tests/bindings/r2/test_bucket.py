"""R2 against a plain model, uploads in parts, files on the disk, and what a crash leaves."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from bindings.r2.blobs import INLINE_MAX_BYTES
from bindings.r2.bucket import UPLOAD_KEPT_MS, Bucket
from bindings.r2.errors import R2Error
from emulator.clock import VirtualClock
from tests.bindings.killed import acknowledged

T = TypeVar("T")
LARGE = INLINE_MAX_BYTES + 1


def with_bucket(
    folder: Path, work: Callable[[Bucket, VirtualClock], Awaitable[T]], **options: Any
) -> T:
    async def run() -> T:
        clock = VirtualClock()
        bucket = Bucket(folder, clock.now_ms, **options)
        try:
            return await work(bucket, clock)
        finally:
            await bucket.close()

    return asyncio.run(run())


async def put(bucket: Bucket, key: str, body: Any, **more: Any) -> dict[str, Any]:
    return (await bucket.perform({"method": "put", "object": key, **more}, body)).metadata


async def get(bucket: Bucket, key: str, **more: Any) -> bytes:
    answer = await bucket.perform({"method": "get", "object": key, **more})
    assert answer.body is not None
    return b"".join([piece async for piece in answer.body])


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "blobs")) if (folder / "blobs").is_dir() else []


async def in_pieces(content: bytes, size: int = 60_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


KEYS = some.sampled_from(["a", "a/b", "a/c/d", "b", "é/x", "z/"])
DOINGS = some.lists(
    some.tuples(some.sampled_from(["put", "put", "large", "delete", "conditional"]), KEYS),
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(doings=DOINGS, prefix=some.sampled_from(["", "a", "a/", "é"]), limit=some.integers(1, 3))
def test_it_does_what_a_dict_does(
    tmp_path: Path, doings: list[tuple[str, str]], prefix: str, limit: int
) -> None:
    shutil.rmtree(tmp_path / "b", ignore_errors=True)

    async def work(bucket: Bucket, clock: VirtualClock) -> None:
        model: dict[str, bytes] = {}
        for number, (doing, key) in enumerate(doings):
            content = str(number).encode() * (LARGE if doing == "large" else 1)
            if doing == "delete":
                await bucket.perform({"method": "delete", "object": key})
                model.pop(key, None)
            elif doing == "conditional":
                only_new = {"etagDoesNotMatch": [{"type": "wildcard"}]}
                try:
                    await put(bucket, key, content, onlyIf=only_new)
                    assert key not in model
                    model[key] = content
                except R2Error as error:
                    assert error.status == 412 and key in model
            else:
                await put(bucket, key, content)
                model[key] = content
        assert {key: await get(bucket, key) for key in model} == model
        assert len(files(tmp_path / "b")) == sum(len(each) >= LARGE for each in model.values())
        for delimiter in ("", "/"):
            await check_list(bucket, model, prefix, delimiter, limit)

    with_bucket(tmp_path / "b", work)


async def check_list(
    bucket: Bucket, model: dict[str, bytes], prefix: str, delimiter: str, limit: int
) -> None:
    """Read a list page by page, and compare it with the keys of the model."""
    objects: list[str] = []
    prefixes: list[str] = []
    cursor = None
    while True:
        asked = {"method": "list", "prefix": prefix, "delimiter": delimiter, "limit": limit}
        page = (await bucket.perform({**asked, "cursor": cursor})).metadata
        assert len(page["objects"]) + len(page["delimitedPrefixes"]) <= limit
        objects += [each["name"] for each in page["objects"]]
        prefixes += page["delimitedPrefixes"]
        cursor = page.get("cursor")
        assert page["truncated"] is (cursor is not None)
        if cursor is None:
            break
    keys = sorted((key for key in model if key.startswith(prefix)), key=str.encode)
    rest = {key: key[len(prefix) :] for key in keys}
    grouped = [key for key in keys if delimiter and delimiter in rest[key]]
    assert objects == [key for key in keys if key not in grouped]
    groups = [prefix + rest[key].partition(delimiter)[0] + delimiter for key in grouped]
    assert prefixes == list(dict.fromkeys(groups))


@pytest.mark.parametrize("size", [0, 1, INLINE_MAX_BYTES, LARGE, 3_000_000])
def test_ranges_of_short_and_long_objects(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)

    async def work(bucket: Bucket, clock: VirtualClock) -> None:
        stored = await put(bucket, "k", in_pieces(content))
        assert (stored["size"], stored["etag"]) == (size, hashlib.md5(content).hexdigest())
        assert await get(bucket, "k") == content
        for offset in {0, size // 2, max(0, size - 1)}:
            for length in (1, 70_000, size):
                if offset < size and length:
                    part = {"offset": offset, "length": length}
                    assert await get(bucket, "k", range=part) == content[offset : offset + length]
        if size:
            assert await get(bucket, "k", range={"suffix": 5}) == content[-5:]
            with pytest.raises(R2Error, match="not satisfiable"):
                await get(bucket, "k", range={"offset": size})

    with_bucket(tmp_path / "b", work)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=2-4", b"234"),
        ("bytes=8-", b"89"),
        ("bytes=-2", b"89"),
        ("bytes=0-1,3-4", b"0123456789"),
        ("bytes=99-", b"0123456789"),
        ("rows=1", b"0123456789"),
    ],
)
def test_the_header_range(tmp_path: Path, header: str, expected: bytes) -> None:
    async def work(bucket: Bucket, clock: VirtualClock) -> None:
        await put(bucket, "k", b"0123456789")
        assert await get(bucket, "k", rangeHeader=header) == expected

    with_bucket(tmp_path / "b", work)


def test_an_upload_in_parts_survives_a_restart_and_copies_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    contents = [os.urandom(200_000), os.urandom(200_000), b"end"]

    async def begin(bucket: Bucket, clock: VirtualClock) -> tuple[str, list[str]]:
        created = await bucket.perform({"method": "createMultipartUpload", "object": "k"})
        upload = created.metadata["uploadId"]
        tags = []
        for number, content in enumerate(contents, 1):
            part = {"method": "uploadPart", "object": "k", "uploadId": upload, "partNumber": number}
            await bucket.perform(part, b"replaced")
            tags.append((await bucket.perform(part, in_pieces(content))).metadata["etag"])
        return upload, tags

    upload, tags = with_bucket(folder, begin, min_part=200_000)
    before = files(folder)

    async def complete(bucket: Bucket, clock: VirtualClock) -> None:
        parts = [{"part": n, "etag": tag} for n, tag in enumerate(tags, 1)]
        request = {"method": "completeMultipartUpload", "object": "k", "uploadId": upload}
        with pytest.raises(R2Error, match="could not be found"):
            await bucket.perform({**request, "parts": [{"part": 1, "etag": "x"}]})
        done = (await bucket.perform({**request, "parts": parts})).metadata
        digest = hashlib.md5(b"".join(hashlib.md5(each).digest() for each in contents))
        assert done["etag"] == f"{digest.hexdigest()}-3"
        whole = b"".join(contents)
        assert await get(bucket, "k") == whole
        part = {"offset": 199_990, "length": 200_020}
        assert await get(bucket, "k", range=part) == whole[199_990:400_010]
        with pytest.raises(R2Error, match="does not exist"):
            await bucket.perform({**request, "parts": parts})

    with_bucket(folder, complete, min_part=200_000)
    assert set(before) <= set(files(folder)) and len(files(folder)) == 3


def test_an_upload_is_aborted_after_a_week(tmp_path: Path) -> None:
    folder = tmp_path / "b"

    async def begin(bucket: Bucket, clock: VirtualClock) -> None:
        created = await bucket.perform({"method": "createMultipartUpload", "object": "k"})
        part = {"method": "uploadPart", "object": "k", "partNumber": 1, **created.metadata}
        await bucket.perform(part, b"x" * LARGE)

    with_bucket(folder, begin)
    assert len(files(folder)) == 1

    async def later() -> None:
        now_ms = VirtualClock().now_ms() + UPLOAD_KEPT_MS + 1
        bucket = Bucket(folder, lambda: now_ms)
        with pytest.raises(R2Error, match="does not exist"):
            await bucket.perform({"method": "head", "object": "k"})
        await bucket.close()

    asyncio.run(later())
    assert files(folder) == []


def test_what_is_being_read_stays_whole_when_it_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    old, new = os.urandom(2_000_000), os.urandom(2_000_000)

    async def work(bucket: Bucket, clock: VirtualClock) -> None:
        await put(bucket, "k", old)
        answer = await bucket.perform({"method": "get", "object": "k"})
        await put(bucket, "k", new)
        assert answer.body is not None
        assert b"".join([piece async for piece in answer.body]) == old
        assert await get(bucket, "k") == new
        assert len(files(folder)) == 1

    with_bucket(folder, work)


def test_a_body_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000
        raise ConnectionError("gone")

    async def work(bucket: Bucket, clock: VirtualClock) -> None:
        with pytest.raises(ConnectionError):
            await put(bucket, "k", broken())
        with pytest.raises(R2Error, match="does not exist"):
            await get(bucket, "k")
        with pytest.raises(R2Error, match="did not match"):
            await put(bucket, "k", in_pieces(b"x" * 3_000_000), sha1="00" * 20)
        assert files(tmp_path / "b") == []

    with_bucket(tmp_path / "b", work)


def test_a_large_object_needs_little_memory(tmp_path: Path) -> None:
    piece = os.urandom(1024 * 1024)

    async def many() -> AsyncIterator[bytes]:
        for _ in range(96):
            yield piece

    async def work(bucket: Bucket, clock: VirtualClock) -> int:
        process = psutil.Process()
        before = process.memory_info().rss
        await put(bucket, "k", many())
        answer = await bucket.perform({"method": "get", "object": "k"})
        assert answer.body is not None
        size = 0
        async for each in answer.body:
            size += len(each)
        assert size == 96 * len(piece)
        return int(process.memory_info().rss - before)

    assert with_bucket(tmp_path / "b", work) < 48 * 1024 * 1024


PUTS = """
import asyncio, sys
from pathlib import Path
from bindings.r2.bucket import Bucket
from emulator.clock import SystemClock

async def put(bucket, first):
    for n in range(first, 10 ** 9, 4):
        body = str(n).encode() * (1 if n % 2 else 40_000)
        await bucket.perform({"method": "put", "object": f"k{n % 16}"}, body)
        await bucket.perform({"method": "put", "object": str(n)}, body)
        print(n, flush=True)

async def main():
    bucket = Bucket(Path(sys.argv[1]), SystemClock().now_ms)
    await asyncio.gather(*(put(bucket, int(sys.argv[2]) + n) for n in range(4)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    folder, chance = tmp_path / "b", random.Random(20_261_130)
    told = [
        n
        for number in range(2)
        for n in acknowledged(PUTS, chance.randint(1, 30), folder, number * 1_000_000)
    ]

    async def work(bucket: Bucket, clock: VirtualClock) -> None:
        for n in told:
            body = await get(bucket, str(n))
            assert body == str(n).encode() * (1 if n % 2 else 40_000)
        page = (await bucket.perform({"method": "list"})).metadata
        for each in page["objects"]:
            found = hashlib.md5(await get(bucket, each["name"])).hexdigest()
            assert found == each["etag"]

    with_bucket(folder, work)
