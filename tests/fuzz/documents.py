"""Files that people hand in: exported histories and cassettes, whole, edited or damaged."""

from __future__ import annotations

import asyncio
import functools
import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from bindings.ai.cassettes import FORMAT, Cassette, CassetteError, read_cassette
from bindings.ai.scrubbing import Scrubber
from emulator.answers.workflows import HistoryDocument
from emulator.clock import SystemClock
from emulator.engine.guard.comparison import Asked, ReplayReport, compare
from emulator.engine.guests.run_messages import opening
from emulator.engine.views import export
from emulator.engine.views.export import parse_history
from emulator.errors import UsageError, WorkerError
from tests.engine.scripted import Step
from tests.engine.world import NAME, SECOND, World
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import changed_bytes, changed_json


async def _orders(event: Any, step: Step) -> Any:
    async def outer(ctx: Any) -> str:
        return str(await ctx.step.do("inner", lambda ctx: "done"))

    await step.do("charge", lambda ctx: {"paid": True}, {"retries": {"limit": 1, "delay": 10}})
    await step.do("ship", outer)
    await step.sleep("rest", "1 second")
    await step.wait_for_event("approval", "approved", "1 hour")
    return "over"


@functools.cache
def history() -> HistoryDocument:
    """Return the export of an instance that has done something of everything."""

    async def record(folder: Path) -> HistoryDocument:
        world = World(folder, {"Orders": _orders})
        await world.create()
        await world.send("approved", 7)
        await world.advance(2 * SECOND)
        await world.pause()
        await world.resume()
        key = world.journal.find(NAME, "a")
        assert key is not None
        instance = world.engine.roster.instance(key)
        document = export.export(instance, world.journal.entries(key))
        world.crash()
        return document

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(record(Path(folder)))


class Histories(Target):
    """An input is a document as `workflows instances export` writes it."""

    name = "histories"
    about = "exported histories, as `groundfog workflows check --history` reads them"

    def make(self, random: Random) -> bytes:
        document: Any = history()
        entries = list(document["entries"])
        for _ in range(random.choice((0, 1, 1, 2, 5))):
            at = random.randrange(len(entries))
            match random.randrange(5):
                case 0:
                    del entries[at : at + 1]
                case 1:
                    entries.insert(random.randrange(len(entries) + 1), entries[at])
                case 2:
                    random.shuffle(entries)
                case _:
                    entries[at] = changed_json(random, entries[at])
            if not entries:
                break
        document = {**document, "entries": entries}
        if random.random() < 0.2:
            document = changed_json(random, document)
        data = json.dumps(document, indent=random.choice((None, 0))).encode()
        return changed_bytes(random, data) if random.random() < 0.2 else data

    def check(self, data: bytes) -> None:
        try:
            instance = parse_history(data.decode(), "history.json")
        except UnicodeDecodeError:
            return
        except UsageError as error:
            if not str(error).startswith("history.json"):
                raise Broken(f"an error that does not name the file: {error}") from error
            return
        # What `check` does with it: it is replayed, and compared with what the code asks for.
        try:
            opening(1, instance, "Orders", probe=True)
        except ValueError:
            return  # a malformed value; the next run says so
        asked = [Asked("do", "charge", 1), Asked("do", "other", 1), Asked("sleep", "rest", 1)]
        compare(instance.steps.values(), ReplayReport(asked), SystemClock().now_ms())


_CASSETTE = {
    "format": FORMAT,
    "calls": [
        {
            "model": "@cf/meta/llama-3.1-8b-instruct",
            "inputs": {"prompt": "hello", "max_tokens": 3},
            "answer": {"json": {"response": "hi"}},
        },
        {
            "model": "@cf/baai/bge-base-en-v1.5",
            "inputs": {"text": ["a"]},
            "answer": {"file": {"content_type": "image/png", "base64": "AAEC"}},
        },
        {"model": "@cf/a/b", "inputs": {}, "answer": {"events": ["data: 1\\n\\n"]}},
        {"model": "@cf/a/c", "inputs": 1, "answer": {"error": {"name": "E", "message": "m"}}},
    ],
}


class Cassettes(Target):
    """An input is the file that `ai.mode = "replay"` answers from."""

    name = "cassettes"
    about = "recorded model calls, as replay mode reads them"

    def make(self, random: Random) -> bytes:
        cassette: Any = _CASSETTE
        for _ in range(random.choice((0, 1, 1, 2, 4))):
            cassette = changed_json(random, cassette)
        data = json.dumps(cassette, indent=random.choice((None, 1))).encode()
        tokens = (b'"calls": [', b'{"$bytes": "!"}', b"9" * 400, b"[" * 400, b"\xff", b",")
        return changed_bytes(random, data, tokens) if random.random() < 0.4 else data

    def check(self, data: bytes) -> None:
        path = self.folder / "calls.json"
        path.write_bytes(data)
        try:
            calls = read_cassette(path)
        except CassetteError as error:
            if str(path) not in error.message:
                raise Broken(f"an error that does not name the file: {error.message}") from error
            return
        cassette = Cassette(path, Scrubber(()))
        wanted = [(call.model, call.inputs) for call in calls]
        for model, inputs in [*wanted, ("@cf/meta/llama-3.1-8b-instruct", {"prompt": "other"})]:
            try:
                cassette.find(model, inputs)
            except WorkerError:
                pass
