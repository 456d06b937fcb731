"""Vectorize: the binding's calls with any arguments, and the protocol of workerd's client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

from bindings.vectorize.http import answer
from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectorize import Vectorize
from emulator.errors import WorkerError
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import NUMBERS, changed_bytes, changed_json, json_bytes, json_value, text

_METADATA = {"area": "north", "rank": 2, "deep": {"a": True}, "list": ["x"]}
_OPTIONS = {
    "topK": 3,
    "returnValues": True,
    "returnMetadata": "all",
    "namespace": "n",
    "filter": {"area": {"$in": ["north", "south"]}, "rank": {"$gte": 1, "$lt": 9}},
}
_ROUTES = [
    f"/{name}"
    for name in "insert upsert query query-by-id getByIds deleteByIds describe info list x".split()
]


def _vector(random: Random, dimensions: int = 3) -> Any:
    values = [random.choice((0, 1, -1, 0.5, 1e-9)) for _ in range(dimensions)]
    vector: dict[str, Any] = {"id": random.choice(("a", "b", text(random))), "values": values}
    if random.random() < 0.5:
        vector["metadata"] = _METADATA
    if random.random() < 0.3:
        vector["namespace"] = "n"
    return vector


def _call(random: Random) -> tuple[str, list[Any]]:
    vectors = [_vector(random) for _ in range(random.randint(1, 3))]
    ids = [random.choice(("a", "b", "c")) for _ in range(random.randint(1, 3))]
    calls: tuple[tuple[str, list[Any]], ...] = (
        ("insert", [vectors]),
        ("upsert", [vectors]),
        ("query", [vectors[0]["values"], _OPTIONS]),
        ("query", [vectors[0]["values"]]),
        ("queryById", [ids[0], _OPTIONS]),
        ("getByIds", [ids]),
        ("deleteByIds", [ids]),
        ("describe", []),
        ("describe", [json_value(random)]),
        (text(random), [vectors]),
    )
    method, args = random.choice(calls)
    for _ in range(random.choice((0, 1, 1, 2))):
        args = changed_json(random, args)
    if random.random() < 0.2:
        args = [[{"id": "a", "values": [random.choice(NUMBERS) for _ in range(3)]}]]
    return method, args if isinstance(args, list) else [args]


class Vectors(Target):
    """An input is a JSON list of calls, `[method, args]` or `[path, body]`, on one index."""

    name = "vectorize"
    about = "Vectorize: calls with any arguments, filters, and the HTTP protocol of the client"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.close()

    def make(self, random: Random) -> bytes:
        calls: list[Any] = []
        for _ in range(random.randint(1, 4)):
            method, args = _call(random)
            if random.random() < 0.3:
                body = json_bytes(args[0] if args else None)
                if random.random() < 0.5:
                    body = changed_bytes(random, body)
                calls.append([random.choice(_ROUTES), body.decode("latin-1")])
            else:
                calls.append([method, args])
        return b"\n".join(map(json_bytes, calls))

    def check(self, data: bytes) -> None:
        calls = []
        for line in data.splitlines():
            try:
                calls.append(json.loads(line))
            except ValueError:
                return  # made too small
        self._runner.run(self._play([call for call in calls if len(call) == 2]))

    async def _play(self, calls: list[tuple[str, Any]]) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        config = IndexConfig(metadata_indexes={"area": "string", "rank": "number"})
        index = Vectorize(self.folder / "v.sqlite", "v", config, announce=lambda said: None)
        try:
            for method, args in calls:
                await self._one(index, method, args)
        finally:
            await index.close()

    async def _one(self, index: Vectorize, method: str, args: Any) -> None:
        if isinstance(args, str):
            for verb in ("POST", "GET"):
                found = await answer(index, verb, method, {}, args.encode("latin-1"))
                if found.status >= 500:
                    raise Broken(f"{found.status} of {method}: {found.body[:200]!r}")
                json.loads(found.body)
            return
        try:
            json.dumps(await index.call(method, args), allow_nan=False)
        except WorkerError as error:
            if not error.message:
                raise Broken(f"{method}: an error that says nothing") from error
