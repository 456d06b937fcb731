"""The byte streams that callbacks return and user code reads, piece by piece.

`runs/streams.py` says what a stream is, and how it is kept.
"""

from __future__ import annotations

from functools import partial

from emulator.engine.actions import Actions, Drop, End, Put, Tell, WhenDurable
from emulator.engine.decide import endings
from emulator.engine.roster import Roster
from emulator.engine.runs import streams
from emulator.engine.runs.idle import IdleRuns
from emulator.engine.runs.run import Run
from emulator.engine.runs.streams import Output
from emulator.protocol.runs import StepChunk, StepTaken, StreamRead


class Outputs:
    """Stores the pieces of streams, and sends them."""

    def __init__(self, roster: Roster, idle: IdleRuns) -> None:
        self._roster = roster
        self._idle = idle

    def came(self, run: Run, message: StepChunk) -> Actions:
        """Store the next piece of a stream that the callback of an attempt returned."""
        found = run.calls.executing_as(message.call, message.attempt)
        if found is None:
            over = StepTaken(run.number, message.call, message.attempt, over=True)
            return (Tell(run.number, over),)
        (key, call), instance, journal = found, run.instance, self._roster.journal
        if call.output is None:
            call.output = Output(journal.chunks.new())
        position = call.output.take(message.payload)
        if run.streamed is None:
            run.streamed = journal.chunks.bytes_of(instance.key)
        run.streamed += len(message.payload)
        if run.streamed > streams.STORAGE_MAX_BYTES:
            now_ms = self._roster.clock.now_ms()
            entries = endings.storage_full(instance, instance.steps[key], now_ms)
            return (Drop(instance), End(instance, entries))
        journal.chunks.add(instance.key, call.output.id, position, message.payload)
        return (WhenDurable(partial(self._taken, run, message)),)

    def _taken(self, run: Run, message: StepChunk) -> Actions:
        if not self._roster.has(run):
            return ()
        taken = StepTaken(run.number, message.call, message.attempt)
        return (Tell(run.number, taken),)

    def read(self, run: Run, message: StreamRead) -> Actions:
        """User code reads a stream that a step has returned."""
        if run in self._idle:  # it does not only wait, so its moment begins again
            self._idle.remove(run)
            self._idle.add(run)
        journal, key = self._roster.journal, run.instance.key
        return (Put(run.number, (streams.piece(journal, key, message) for _ in range(1))),)
