"""A step that streams several megabytes, under a real server that is killed twice."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.end_to_end.projects import make_project, workflow_entry
from tests.end_to_end.server import DevServer
from tests.end_to_end.test_workflows import counts, create, wait_for_status
from tests.waiting import eventually

PIECES = 60  # of 100,001 bytes: no multiple of what they are stored as

EXPORT = """
async def run(self, event, step):
    @step.do("export")
    async def export():
        async def pieces():
            for n in range(60):
                yield hashlib.sha256(bytes([n])).digest() * 3125 + b"x"
                if n == 40:
                    await self.ran("half")
                    ran = await self.env.DB.prepare("SELECT count(*) AS n FROM ran").first("n")
                    if ran == 1:
                        await asyncio.sleep(3600)
        return ReadableStream(pieces())

    stream = await export()
    first = hashlib.sha256()
    async for chunk in stream:
        first.update(chunk)
    await step.sleep("nap", "2 seconds")

    @step.do("digest")
    async def digest(export):
        await self.ran("digest")
        return hashlib.sha256(await export.to_bytes()).hexdigest()

    return [first.hexdigest(), await digest()]
"""


def test_a_large_stream_is_the_same_after_kill_9_while_it_is_stored_and_after(
    tmp_path: Path,
) -> None:
    entry = "import asyncio, hashlib\nfrom js import ReadableStream\n" + workflow_entry(EXPORT)
    project = make_project(tmp_path / "p", entry)
    with DevServer(project) as first:
        create(first, "s")
        eventually(lambda: counts(first).get("half") == 1)
        first.kill()
    with DevServer(project) as second:
        wait_for_status(second, "s", "waiting")
        second.kill()
    with DevServer(project) as third:
        done = wait_for_status(third, "s", "complete")
        ran = counts(third)

    whole = b"".join(hashlib.sha256(bytes([n])).digest() * 3125 + b"x" for n in range(PIECES))
    assert done["output"] == [hashlib.sha256(whole).hexdigest()] * 2
    assert ran == {"half": 2, "digest": 1}
