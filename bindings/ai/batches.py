"""Asynchronous batches: `{queueRequest: true}` takes them, a call with `request_id` polls.

They are kept in memory and carried out at the first poll.
Source: docs/platform/workers-ai.md, "Batches".
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct, field

from bindings.ai.catalogue import Model
from bindings.ai.errors import bad_input, failure
from bindings.ai.options import Options
from emulator.errors import WorkerError

PAYLOAD_MAX_BYTES = 10 * 1024 * 1024
BATCHES_MAX = 50

Run = Callable[[str, Any], Awaitable[Any]]
OffLoop = Callable[[Callable[[Any], bytes], Any], Awaitable[bytes]]


class _Batch(Struct):
    model: str
    requests: list[Any]
    responses: list[dict[str, Any]] = field(default_factory=list)


class Batches:
    """The batches of one binding; `run` answers a request, `off_loop` does work on a thread."""

    def __init__(self, run: Run, off_loop: OffLoop) -> None:
        self._run = run
        self._off_loop = off_loop
        self._batches: dict[str, _Batch] = {}
        self._count = 0

    def is_meant(self, inputs: Any, options: Options) -> bool:
        """Return whether a call queues a batch or polls one."""
        return options.is_queued or (
            isinstance(inputs, Mapping) and inputs.keys() == {"request_id"}
        )

    async def answer(self, model: Model, inputs: Any, options: Options) -> dict[str, Any]:
        """Queue or poll. Raises WorkerError: 5006 without requests, 3006 for too many."""
        if options.is_queued:
            return await self._queue(model, inputs)
        batch = self._batches.get(str(inputs["request_id"]))
        if batch is None or batch.model != model.name:
            raise bad_input(f"no batch of {model.name} has request_id {inputs['request_id']}")
        if not batch.responses:
            batch.responses = [
                await self._carry_out(batch.model, place, request)
                for place, request in enumerate(batch.requests)
            ]
        return {"responses": batch.responses, "usage": _total(batch.responses)}

    async def _queue(self, model: Model, inputs: Any) -> dict[str, Any]:
        requests = inputs.get("requests") if isinstance(inputs, Mapping) else None
        if not isinstance(requests, list) or not requests:
            raise bad_input("required properties at '/' are 'requests'")
        content = await self._off_loop(_digest, requests)
        if len(self._batches) >= BATCHES_MAX:
            del self._batches[next(iter(self._batches))]
        self._count += 1
        seed = f"{model.name}\0{self._count}\0".encode() + content
        digest = hashlib.blake2b(seed, digest_size=16).digest()
        request_id = str(uuid.UUID(bytes=digest, version=4))
        self._batches[request_id] = _Batch(model.name, requests)
        return {"status": "queued", "request_id": request_id, "model": model.name}

    async def _carry_out(self, model: str, place: int, request: Any) -> dict[str, Any]:
        inputs = dict(request) if isinstance(request, Mapping) else request
        answer: dict[str, Any] = {"id": place}
        if isinstance(inputs, dict) and "external_reference" in inputs:
            answer["external_reference"] = inputs.pop("external_reference")
        if isinstance(inputs, dict):
            inputs.pop("stream", None)
        try:
            return {**answer, "result": await self._run(model, inputs), "success": True}
        except WorkerError as error:
            return {**answer, "error": error.message, "success": False}


def _digest(requests: list[Any]) -> bytes:
    """Return a hash of the requests. Raises WorkerError 3006 when they are too large."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    for request in requests:  # one by one: all at once would block the interpreter
        text = json.dumps(request, sort_keys=True, default=repr).encode()
        size += len(text)
        if size > PAYLOAD_MAX_BYTES:
            raise failure(3006)
        digest.update(text)
    return digest.digest()


def _total(responses: list[dict[str, Any]]) -> dict[str, int]:
    total = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    for response in responses:
        result = response.get("result")
        usage = result.get("usage") if isinstance(result, dict) else None
        for name in total:
            total[name] += int((usage or {}).get(name, 0))
    return total
