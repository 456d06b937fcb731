"""What answers in place of the stub: an upstream, a cassette, or an upstream with a recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from bindings.ai.cassettes import Cassette, CassetteError, to_record
from bindings.ai.replies import Events
from bindings.binding import ByteStream
from emulator.errors import WorkerError


class Upstream(Protocol):
    """A service that answers calls; `name` is what it is called in groundfog.toml."""

    name: str
    takes_any_model: bool

    async def answer(self, model: str, inputs: Any) -> Any:
        """Return a JSON value, Media or a ByteStream. Raises WorkerError."""
        ...

    async def close(self) -> None: ...


class PlayedCassette:
    """Answers from a cassette, never from the network."""

    takes_any_model = True

    def __init__(self, cassette: Cassette) -> None:
        self.name = f"replayed {cassette.path.name}"
        self._cassette = cassette
        self._lock = asyncio.Lock()

    async def answer(self, model: str, inputs: Any) -> Any:
        async with self._lock:  # equal requests take their answers in order
            return await asyncio.to_thread(self._cassette.find, model, inputs)

    async def close(self) -> None:
        """Nothing is held open."""


class ExtendedCassette:
    """Answers from a cassette, and what that has not from an upstream, whose answers it records."""

    def __init__(self, played: PlayedCassette, recorded: RecordedUpstream) -> None:
        self.name = f"{played.name}, or {recorded.name}"
        self.takes_any_model = recorded.takes_any_model
        self._played = played
        self._recorded = recorded

    async def answer(self, model: str, inputs: Any) -> Any:
        try:
            return await self._played.answer(model, inputs)
        except CassetteError:
            return await self._recorded.answer(model, inputs)

    async def close(self) -> None:
        """Close the upstream."""
        await self._recorded.close()


class RecordedUpstream:
    """Answers from an upstream, and writes each answer into a cassette."""

    def __init__(self, upstream: Upstream, cassette: Cassette) -> None:
        self.name = f"recorded {upstream.name}"
        self.takes_any_model = upstream.takes_any_model
        self._upstream = upstream
        self._cassette = cassette
        self._lock = asyncio.Lock()

    async def answer(self, model: str, inputs: Any) -> Any:
        try:
            answer = await self._upstream.answer(model, inputs)
        except WorkerError as error:
            if error.code is not None:  # an error of the service; errors of ours are not recorded
                await self._write(model, inputs, error)
            raise
        if isinstance(answer, ByteStream):
            return ByteStream(self._tee(model, inputs, answer), answer.content_type)
        await self._write(model, inputs, answer)
        return answer

    async def _tee(self, model: str, inputs: Any, stream: ByteStream) -> AsyncIterator[bytes]:
        """Pass a stream on, and record it when it is complete."""
        whole = bytearray()
        async for chunk in stream.chunks:
            whole += chunk
            yield chunk
        pieces = bytes(whole).split(b"\n\n")
        events = Events(piece + b"\n\n" for piece in pieces[:-1])
        await self._write(model, inputs, Events([*events, *pieces[-1:]] if pieces[-1] else events))

    async def _write(self, model: str, inputs: Any, answer: Any) -> None:
        async with self._lock:
            await asyncio.to_thread(self._cassette.add, model, inputs, to_record(answer))

    async def close(self) -> None:
        """Close the upstream."""
        await self._upstream.close()
