"""Probes: replays in which nothing may begin, to see whether code fits what an instance has done.

The sweep probes sleeping instances after a save; `groundfog workflows check` whole journals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from emulator.engine.guard.replay_guard import Guard
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.guests.run_messages import Read, opening
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.instance import Instance
from emulator.errors import StateError
from emulator.protocol.message import Message
from emulator.protocol.runs import Replayed, RunAbort, RunMessage, StepBegin


class Probe(Struct, frozen=True):
    """One replay. `key` is that of its instance."""

    number: int
    key: int
    guest: Guest
    guard: Guard


class Probes:
    """The probes in flight.

    judged: takes one that is decided, which is over then, and how the code differs; None: it fits.
    damaged: takes one that cannot go on, because a recorded value cannot be read, and why.
    """

    def __init__(
        self,
        judged: Callable[[Probe, Divergence | None], None],
        damaged: Callable[[Probe, Exception], None] = lambda probe, error: None,
    ) -> None:
        self._judged = judged
        self._damaged = damaged
        self._flying: dict[int, Probe] = {}  # by number

    def __len__(self) -> int:
        return len(self._flying)

    def get(self, number: int) -> Probe | None:
        """Return the probe with a number, if it is in flight."""
        return self._flying.get(number)

    def start(
        self,
        number: int,
        instance: Instance,
        class_name: str,
        guest: Guest,
        feed: Feed,
        read: Read = bytes,
    ) -> None:
        """Replay an instance. read: returns what is recorded as the value of a step."""
        probe = Probe(number, instance.key, guest, Guard(instance))
        self._flying[number] = probe
        messages = opening(number, instance, class_name, probe=True, read=read)
        feed.put(self._parcel(probe, messages))

    def hear(self, message: RunMessage, now_ms: int) -> None:
        """A guest says something of a run; what is not about a probe is ignored."""
        probe = self._flying.get(message.run)
        match message:
            case StepBegin() if probe is not None:
                probe.guard.hear_step(message, now_ms)
            case Replayed() if probe is not None:
                probe.guard.hear(message)
            case _:
                return
        if probe.guard.is_decided:
            self.drop(probe.number)
            self._judged(probe, probe.guard.divergence(now_ms))

    def drop(self, number: int) -> None:
        """End a probe, if it is in flight; nobody hears of it."""
        probe = self._flying.pop(number, None)
        if probe is not None:
            probe.guest.send(RunAbort(number))

    def stop(self) -> None:
        """End all of them."""
        for number in list(self._flying):
            self.drop(number)

    def _parcel(self, probe: Probe, messages: Iterator[Message]) -> Iterator[Message]:
        try:
            while probe.number in self._flying and (message := next(messages, None)) is not None:
                yield message
        except (ValueError, StateError) as error:
            if probe.number in self._flying:
                self._damaged(probe, error)
