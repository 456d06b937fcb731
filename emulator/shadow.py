"""Replays what instances have recorded in a guest of its own, under another clock and other chance.

Nothing is executed: steps get their recorded results. Code that asks for other steps then, or comes
to another output, depends on what no journal has: the time of day, chance, the order of sets,
variables of the process. After a crash it would go another way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from emulator.config.model import Config
from emulator.config.text_files import shown_path
from emulator.determinism import findings
from emulator.engine.guard.comparison import ReplayReport, compare
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.guests.blame import Loss
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.run_messages import opening
from emulator.engine.journal.journal import Journal
from emulator.engine.model import fold
from emulator.engine.model.divergence import Change, Divergence
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.places import Place
from emulator.errors import EmulatorError
from emulator.findings import Finding
from emulator.protocol import values
from emulator.protocol.runs import Replayed, RunAbort, RunEnd, RunMessage, StepBegin
from emulator.runner.guest import Guest
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.requests import LoadError
from emulator.runner.runner import Runner
from emulator.worker import definitions, worker_spec

AHEAD_MS = 40 * 86_400_000 + 13 * 3_600_000 + 17 * 60_000  # another month, day of the week and hour
HASH_SEED = "112"  # guests have 111
_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How a replay differs: in words, and where in the code, `"src/entry.py:31"` or ""."""

    workflow: str
    id: str
    text: str
    line: str = ""


def source_of(interpreter: Path) -> Forkserver:
    """Return what starts such guests; sets and dicts of strings have another order in them."""
    return Forkserver(interpreter, hash_seed=HASH_SEED)


class Shadow:
    """A guest with the code of one worker that only replays. Its source is the caller's."""

    def __init__(self, config: Config, source: Forkserver) -> None:
        self._config = config
        self._classes = {each.name: each.class_name for each in definitions(config)}
        self._replays = _Replays()
        hang_timeout_ms = config.settings.hang_timeout_ms
        self._runner = Runner(
            source, self._replays, lambda line: None, lambda text: None, hang_timeout_ms
        )
        self._guest: Guest | None = None
        self._feed: Feed | None = None
        self._last = 0

    async def start(self) -> None:
        """Load the code as it is now. Raises EmulatorError when it does not load."""
        await self._runner.start()
        spec = replace(worker_spec(self._config), clock_ahead_ms=AHEAD_MS)
        try:
            self._guest = await self._runner.load(spec, {})
        except LoadError as error:
            raise EmulatorError(str(error)) from None
        self._feed = Feed(self._guest)

    async def stop(self) -> None:
        """End the guest."""
        await self._runner.stop()

    async def replay(
        self, instance: Instance, journal: Journal, whole: Instance | None = None
    ) -> Seen | None:
        """Replay an instance; return how that differs from what is recorded, or None.

        whole: the same instance later on; new steps that it has then are no difference. Code that
        does I/O outside of steps cannot be replayed, which is None too.
        """
        assert self._guest is not None and self._feed is not None
        self._last += 1
        number = self._last
        ended = self._replays.expect(number, instance)
        name = self._classes[instance.workflow]
        self._feed.put(opening(number, instance, name, probe=True, read=journal.value))
        try:
            async with asyncio.timeout(_ANSWER_S):
                replay, end = await ended
        except TimeoutError:
            return None
        finally:
            self._replays.forget(number)
            self._guest.send(RunAbort(number))
        if replay.stands == "restless":
            return None
        found = _difference(instance, whole or instance, replay, end)
        if found is None:
            return None
        text, line = found
        line = line or self._place(name)
        return Seen(instance.workflow, instance.id, text, line)

    def _place(self, class_name: str) -> str:
        """Return the line that reads the clock or chance outside of steps, if one is found."""
        main = self._config.project_dir / self._config.main
        try:
            found = findings(main.read_text(encoding="utf-8"), main, class_name)
        except (OSError, ValueError, SyntaxError):
            return ""
        likely: list[Finding] = [each for each in found if each.kind in ("time", "chance")]
        shown = shown_path(main, self._config.project_dir)
        return f"{shown}:{likely[0].line}" if likely else ""


def prefixes(journal: Journal, instance: Instance) -> Iterator[Instance]:
    """Yield the instance as it was after each finished step, as a crash would have left it."""
    entries = list(journal.entries(instance.key))
    begun = Instance(instance.key, instance.workflow, instance.id)
    ended = 0
    for entry in entries:
        fold.apply(begun, entry)
        now = sum(step.has_ended for step in begun.steps.values())
        if now > ended and not begun.is_terminal:
            ended = now
            yield begun


class _Replays:
    """Hears replays, as the engine of a server hears runs."""

    def __init__(self) -> None:
        self._guards: dict[int, Guard] = {}
        self._ended: dict[int, asyncio.Future[tuple[ReplayReport, RunEnd | None]]] = {}

    def expect(
        self, number: int, instance: Instance
    ) -> asyncio.Future[tuple[ReplayReport, RunEnd | None]]:
        """Return what is told when this replay rests or ends."""
        self._guards[number] = Guard(instance)
        self._ended[number] = asyncio.get_running_loop().create_future()
        return self._ended[number]

    def forget(self, number: int) -> None:
        """It is over."""
        self._guards.pop(number, None)
        self._ended.pop(number, None)

    def hear(self, guest: Guest, message: RunMessage) -> None:
        """A replay says how far it has come."""
        guard = self._guards.get(message.run)
        if guard is None:
            return
        match message:
            case StepBegin():
                guard.hear_step(message, 0)
            case Replayed():
                guard.hear(message)
                if guard.replay is not None and guard.replay.stands != "ended":
                    self._tell(message.run, None)
            case RunEnd():
                self._tell(message.run, message)

    def _tell(self, number: int, end: RunEnd | None) -> None:
        replay, ended = self._guards[number].replay, self._ended[number]
        if replay is not None and not ended.done():
            ended.set_result((replay, end))

    def all_heard(self) -> None:
        """Nothing is recorded here."""

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        """It cannot be told."""
        if number in self._ended and not self._ended[number].done():
            self._ended[number].set_result((ReplayReport([], "restless", problem), None))

    def guest_lost(self, guest: Guest, loss: Loss) -> None:
        """None of its replays can be told."""
        for number in list(self._ended):
            self.mishap(guest, number, loss.reason)

    def work_of(self, guest: Guest) -> list[str]:
        """Return what it does, in words."""
        return ["a replay" for _ in self._guards]


def _difference(
    instance: Instance, whole: Instance, replay: ReplayReport, end: RunEnd | None
) -> tuple[str, str] | None:
    """Return what is different, in words, and the line; None if nothing is."""
    steps = [step for step in instance.steps.values() if not step.parent]
    divergence = compare(steps, replay, 0)
    if divergence is not None and (told := _told(divergence)) is not None:
        return told
    known = {step.place for step in whole.steps.values() if not step.parent}
    if (other := _other_step(replay, known, whole)) is not None:
        return other
    return _other_end(instance, replay, end)


def _told(divergence: Divergence) -> tuple[str, str] | None:
    """Return the first finding in words. A time that moved with the clock is none."""
    for found in divergence.findings:
        if found.change is Change.UNTIL:
            continue
        new = f', but for "{found.new_name}"' if found.new_name else ""
        return f'the replay does not ask for step "{found.name}"{new}', found.line
    return None


def _other_step(
    replay: ReplayReport, known: Collection[Place], whole: Instance
) -> tuple[str, str] | None:
    if not (whole.is_terminal or whole.status is Status.WAITING):
        return None  # it was not through with what it asks for
    for asked in replay.asked:
        if asked.place not in known:
            return f'the replay asks for step "{asked.name}", which was not asked for', asked.line
    return None


def _other_end(
    instance: Instance, replay: ReplayReport, end: RunEnd | None
) -> tuple[str, str] | None:
    if instance.status is not Status.COMPLETE:
        return None
    if end is None:
        return "the replay does not end", ""
    if end.name:
        return f"the replay raises {replay.why}", ""
    if _value(end.payload) != _value(instance.output):
        return "the replay returns another output", ""
    return None


def _value(data: bytes) -> object:
    try:
        return values.decode(data or b"null")
    except ValueError:
        return data
