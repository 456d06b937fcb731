"""The engine against a dictionary: random workflows, random operations, crashes at any turn.

The model knows only what was acknowledged and what `run()` has seen. What must hold is written as
invariants below; each is checked after every operation.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.engine.decide import rollbacks
from emulator.engine.model.entries import Entry, data_of, members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_entries import ReceivedEvent, RestartPoint
from emulator.engine.model.step import StepState
from emulator.engine.model.step_key import StepKey
from emulator.engine.roster import Census, Roster
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Context, Step, StepError, Undo
from tests.engine.soundness import unsound
from tests.engine.world import CLASS, DAY, HOUR, MINUTE, NAME, SECOND, World

CONCURRENCY = 2
LIMIT = 2  # retries of every step
EVENT_TYPES = ("red", "blue")
STARTS = (EntryKind.STEP_START, EntryKind.SLEEP_START, EntryKind.WAIT_START)

ATTEMPT_STARTS = (EntryKind.ATTEMPT_START, EntryKind.ROLLBACK_ATTEMPT_START)
ATTEMPT_FAILURES = (EntryKind.ATTEMPT_FAILURE, EntryKind.ROLLBACK_ATTEMPT_FAILURE)

Plan = list[Any]

_do = {
    "fails": st.integers(0, LIMIT + 1),
    "slow": st.booleans(),
    "undo": st.booleans(),  # it has a rollback handler
    "asks": st.booleans(),  # its delay is a function
}
_items = st.one_of(
    st.fixed_dictionaries({"kind": st.just("do"), **_do}),
    st.fixed_dictionaries(
        {"kind": st.just("nest"), **_do, "inner": st.integers(1, 3), "naps": st.booleans()}
    ),
    st.fixed_dictionaries(
        {"kind": st.just("sleep"), "ms": st.sampled_from([0, 500, 10 * SECOND, HOUR])}
    ),
    st.fixed_dictionaries({"kind": st.just("wait"), "type": st.sampled_from(EVENT_TYPES)}),
)
plans = st.recursive(
    st.lists(_items, min_size=1, max_size=3),
    lambda inner: st.lists(
        _items
        | st.fixed_dictionaries(
            {"kind": st.just("both"), "branches": st.lists(inner, min_size=2, max_size=3)}
        ),
        min_size=1,
        max_size=3,
    ),
    max_leaves=4,
)


@dataclass
class Known:
    """What the model knows of an instance since its creation or last restart."""

    plan: Plan
    raises: bool = False  # `run()` fails when it has done all that
    life: int = 0
    seen: dict[str, Any] = field(default_factory=dict)  # step name -> what run() got from it
    sent: dict[str, list[int]] = field(default_factory=dict)  # event type -> acknowledged payloads
    inner: dict[str, Any] = field(default_factory=dict)  # "0.1/2" -> what the callback 0.1 got
    undone: list[str] = field(default_factory=list)  # handlers, each time they were executed
    charged: bool = False  # an attempt may have failed that the plan did not ask to fail
    terminated: bool = False
    rolled_back: bool = False  # a user has terminated it with rollback


def _has_handler(entry: Entry) -> bool:
    return "rollback" in members_of(entry)


class EngineModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Known] = {}
        self.deleted: list[str] = []
        self.names = 0
        self.violations: list[str] = []
        self.gate = asyncio.Event()
        self.hurry = False  # from now on nothing is slow
        self.serial = 0
        self.refusing = False
        self._directory = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.world: World = self.do(self._new_world())

    async def _new_world(self) -> World:
        return World(Path(self._directory.name), {CLASS: self.workflow}, concurrency=CONCURRENCY)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # the first failure is the one to report
                self._end()
        finally:
            self.world.crash()
            self.do(self._cancel_tasks())
            self.loop.close()
            self._directory.cleanup()

    async def _cancel_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the workflow: it does what its params say

    async def workflow(self, event: dict[str, Any], step: Step) -> Any:
        name = event["instanceId"]
        known = self.known[name]
        output = await self._follow(event["payload"], step, known, known.life, "0")
        if known.raises:
            raise StepError("Error", "as planned")
        return output

    async def _follow(
        self, plan: Plan, step: Step, known: Known, life: int, prefix: str
    ) -> list[Any]:
        results: list[Any] = []
        for index, item in enumerate(plan):
            label = f"{prefix}.{index}"
            if item["kind"] == "both":
                branches = (
                    self._follow(branch, step, known, life, f"{label}.{number}")
                    for number, branch in enumerate(item["branches"])
                )
                results.append(list(await asyncio.gather(*branches)))
                continue
            try:
                result = await self._step(item, step, known, life, label)
            except StepError as error:
                result = error.name
            self._see(known, life, label, result)
            results.append(result)
        return results

    async def _step(
        self, item: dict[str, Any], step: Step, known: Known, life: int, label: str
    ) -> Any:
        match item["kind"]:
            case "do" | "nest":

                async def callback(ctx: Context) -> int:
                    if known.life == life and (label in known.seen or known.undone):
                        self.violations.append(f"{label} was executed again, or too late")
                    if item["kind"] == "nest":
                        await self._nest(item, ctx, known, life, label)
                    if item["slow"] and not self.hurry:
                        await self.gate.wait()
                    if ctx.attempt <= item["fails"]:
                        raise StepError("Error", f"attempt {ctx.attempt}")
                    self.serial += 1
                    return self.serial

                retries = {"limit": LIMIT, "delay": "5 seconds"}
                return await step.do(
                    label,
                    callback,
                    {"retries": retries, "timeout": "1 hour"},
                    rollback=partial(self._undo, known, life) if item["undo"] else None,
                    rollback_config={"retries": retries},
                    delay=(lambda attempt, error: 5 * SECOND) if item["asks"] else None,
                )
            case "sleep":
                return await step.sleep(label, item["ms"])
            case _:
                return (await step.wait_for_event(label, item["type"], "2 hours"))["payload"]

    async def _nest(
        self, item: dict[str, Any], ctx: Context, known: Known, life: int, label: str
    ) -> None:
        """Call steps in a callback; they have the same names in all callbacks."""
        for number in range(1, item["inner"] + 1):
            where = f"{label}/{number}"

            def work(ctx: Context, where: str = where) -> int:
                if known.life == life and (where in known.inner or known.undone):
                    self.violations.append(f"{where} was executed again, or too late")
                self.serial += 1
                return self.serial

            got = await ctx.step.do("in", work)
            if item["naps"]:
                await ctx.step.sleep("nap", 500)
            if known.life == life and known.inner.setdefault(where, got) != got:
                self.violations.append(f"{where}: first {known.inner[where]!r}, now {got!r}")
        if len(set(known.inner.values())) != len(known.inner):
            self.violations.append(f"two steps got one result: {known.inner}")

    async def _undo(self, known: Known, life: int, undo: Undo) -> None:
        if known.life != life:
            self.violations.append(f"an earlier life rolls {undo.step} back")
        elif undo.step in known.undone[:-1] and known.undone[-1] != undo.step:
            self.violations.append(f"{undo.step} is rolled back again after {known.undone[-1]}")
        known.undone.append(undo.step)
        if not self.hurry:
            await asyncio.sleep(0)

    def _see(self, known: Known, life: int, label: str, result: Any) -> None:
        if known.life != life:
            self.violations.append(f"a run of an earlier life goes on at {label}")
        elif known.seen.setdefault(label, result) != result:
            self.violations.append(f"{label}: first {known.seen[label]!r}, now {result!r}")

    # --- operations

    async def _acknowledged(self, work: Coroutine[Any, Any, Any], crash_after: int | None) -> bool:
        """Do `work`, or let the host crash some turns into it; return whether it was answered."""
        task = asyncio.ensure_future(work)
        if crash_after is None:
            await self.world.settle()
            if not task.done():  # it asks a guest
                self._hear()
            await asyncio.wait([task])
            await self.world.settle()
        else:
            for _ in range(crash_after):
                await asyncio.sleep(0)
            answered = task.done()
            task.cancel()
            await self._reboot(guest=True)
            if not answered:
                return False
        error = task.exception()
        if error is not None and not isinstance(error, WorkerError):
            raise error
        return error is None

    crashes = st.none() | st.none() | st.integers(0, 5)

    @rule(plan=plans, raises=st.booleans(), crash_after=crashes, again=st.booleans())
    def create(self, plan: Plan, raises: bool, crash_after: int | None, again: bool) -> None:
        if again and self.deleted:
            name = self.deleted.pop()
        else:
            self.names += 1
            name = f"i{self.names}"
        self.known[name] = Known(plan, raises)
        work = self.world.control.create(NAME, name, values.encode(plan))
        if not self.do(self._acknowledged(work, crash_after)):
            if self.world.journal.find(NAME, name) is None:
                del self.known[name]

    def _name(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.known)))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), event_type=st.sampled_from(EVENT_TYPES), crash_after=crashes)
    def send_event(self, data: st.DataObject, event_type: str, crash_after: int | None) -> None:
        self._send(self._name(data), event_type, crash_after)

    def _send(self, name: str, event_type: str, crash_after: int | None) -> None:
        self.serial += 1
        payload = self.serial
        sent = self.known[name].sent.setdefault(event_type, [])
        work = self.world.control.send_event(NAME, name, event_type, b"%d" % payload)
        acknowledged = self.do(self._acknowledged(work, crash_after))
        if acknowledged or payload in self._received(name).get(event_type, []):
            sent.append(payload)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), crash_after=crashes)
    def pause(self, data: st.DataObject, crash_after: int | None) -> None:
        work = self.world.control.pause(NAME, self._name(data))
        self.do(self._acknowledged(work, crash_after))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), crash_after=crashes)
    def resume(self, data: st.DataObject, crash_after: int | None) -> None:
        work = self.world.control.resume(NAME, self._name(data))
        self.do(self._acknowledged(work, crash_after))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), crash_after=crashes)
    def skip(self, data: st.DataObject, crash_after: int | None) -> None:
        work = self.world.control.skip(NAME, self._name(data))
        self.do(self._acknowledged(work, crash_after))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), rollback=st.booleans())
    def terminate(self, data: st.DataObject, rollback: bool) -> None:
        name = self._name(data)
        work = self.world.control.terminate(NAME, name, rollback)
        if self.do(self._acknowledged(work, None)):
            if rollback:
                self.known[name].rolled_back = True
            else:
                self.known[name].terminated = True

    @precondition(lambda self: self.known and not self.refusing)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        name = self._name(data)
        before = self.known[name]
        self.known[name] = Known(before.plan, before.raises, before.life + 1)
        before.life = -1  # code that still has it goes on in an earlier life
        assert self.do(self._acknowledged(self.world.control.restart(NAME, name), None))

    @precondition(lambda self: self.known and not self.refusing)
    @rule(data=st.data())
    def restart_from_step(self, data: st.DataObject) -> None:
        name = self._name(data)
        starts = [e.step for e in self._entries(name) if e.kind in STARTS]
        if not starts:
            return
        place = data.draw(st.integers(0, len(starts) - 1))
        chosen = StepKey.of(starts[place])
        before = self.known[name]
        self.known[name] = self._rewound(name, before, set(starts[:place]))
        before.life = -1
        point = RestartPoint(chosen.name, chosen.count, chosen.kind)
        work = self.world.control.restart(NAME, name, point)
        assert self.do(self._acknowledged(work, None))
        kept = [e.step for e in self._entries(name) if e.kind in STARTS][:place]
        assert kept == starts[:place]

    def _rewound(self, name: str, before: Known, kept: set[str]) -> Known:
        """What is known of an instance of which only these steps are left."""
        after = Known(before.plan, before.raises, before.life + 1, charged=before.charged)
        labels = {StepKey.of(step).name for step in kept}
        after.seen = {label: got for label, got in before.seen.items() if label in labels}
        for entry in self._entries(name):
            data = members_of(entry)
            if entry.kind is EntryKind.STEP_START and entry.step in kept and "parent" in data:
                where = f"{StepKey.of(data['parent']).name}/{data['nth']}"
                if where in before.inner:
                    after.inner[where] = before.inner[where]
        for entry in self._entries(name):
            if entry.kind is EntryKind.WAIT_COMPLETE and entry.step in kept:
                event = values.decode(entry.value)
                after.sent.setdefault(event["type"], []).append(event["payload"])
        return after

    @precondition(lambda self: self.known)
    @rule(data=st.data(), crash_after=crashes)
    def delete(self, data: st.DataObject, crash_after: int | None) -> None:
        name = self._name(data)
        work = self.world.control.delete(NAME, name)
        acknowledged = self.do(self._acknowledged(work, crash_after))
        if self.world.journal.find(NAME, name) is None:
            self.known.pop(name).life = -1
            self.deleted.append(name)
        else:
            assert not acknowledged

    async def _soon(self, crash_after: int | None) -> None:
        """Let what has just become possible happen, wholly or until the host crashes."""
        if crash_after is None:
            await self.world.settle()
            return
        for _ in range(crash_after):
            await asyncio.sleep(0)
        await self._reboot(guest=True)

    async def _reboot(self, *, guest: bool) -> None:
        self.world.crash()
        self.refusing = False
        self.world.boot(guest=guest)
        await self.world.settle()

    @rule(
        span_ms=st.sampled_from([0, 1, 500, 5 * SECOND, MINUTE, HOUR, 3 * HOUR]),
        crash_after=crashes,
    )
    def advance(self, span_ms: int, crash_after: int | None) -> None:
        if span_ms >= HOUR:
            self._charge_all()  # slow callbacks time out
        self.do(self._advance(span_ms, crash_after))

    async def _advance(self, span_ms: int, crash_after: int | None) -> None:
        self._hear()
        if crash_after is None:
            await self.world.advance(span_ms)
        else:
            self.world.clock.advance(span_ms)
            await self._soon(crash_after)

    @rule(crash_after=crashes)
    def let_callbacks_end(self, crash_after: int | None) -> None:
        self.gate.set()
        self.do(self._soon(crash_after))
        self.gate.clear()

    @rule(guest=st.booleans())
    def crash_host(self, guest: bool) -> None:
        self.do(self._reboot(guest=guest))

    @rule()
    def lose_guest(self) -> None:
        async def lose() -> None:
            if self.world.engine.serving.guest is not None:
                self.world.lose_guest()
            await self.world.settle()

        self._charge_all()
        self.do(lose())

    @rule(free_steps=st.booleans(), deaf=st.booleans())
    def load_guest(self, free_steps: bool, deaf: bool) -> None:
        """A save. The guest before may compute: until it hears, its runs can only leave it."""

        async def load() -> None:
            self._hear()
            self.world.free_steps = free_steps
            for guest in self.world.guests:
                guest.deaf = deaf
            self.world.load()
            await self.world.settle()

        self.do(load())

    @rule(data=st.data(), plan=plans, what=st.sampled_from(["event", "skip", "pause", "guest"]))
    def act_while_a_run_leaves(self, data: st.DataObject, plan: Plan, what: str) -> None:
        """Something happens to an instance between a save and the end of its run in old code."""
        self.create([{"kind": "wait", "type": EVENT_TYPES[0]}, *plan], False, None, False)
        self.load_guest(True, True)
        leaving = sorted(r.instance.id for r in self.world.engine.roster.runs if r.state.leaves)
        name = data.draw(st.sampled_from(leaving)) if leaving else ""
        crash_after = data.draw(self.crashes)
        match what if name else "":
            case "event":
                self._send(name, data.draw(st.sampled_from(EVENT_TYPES)), crash_after)
            case "skip":
                skipping = self.world.control.skip(NAME, name)
                self.do(self._acknowledged(skipping, crash_after))
            case "pause":
                pausing = self.world.control.pause(NAME, name)
                self.do(self._acknowledged(pausing, crash_after))
            case "guest":
                self.lose_guest()

    @rule()
    def let_guests_hear(self) -> None:
        async def hear() -> None:
            self._hear()
            await self.world.settle()

        self.do(hear())

    def _hear(self) -> None:
        for guest in self.world.guests:
            guest.hear()

    @precondition(lambda self: not self.refusing)
    @rule()
    def disk_refuses(self) -> None:
        self.refusing = True
        self.world.disk.refuse_commits()

    @precondition(lambda self: self.refusing)
    @rule()
    def disk_accepts(self) -> None:
        self.refusing = False
        self.world.disk.accept_commits()

    def _charge_all(self) -> None:
        for known in self.known.values():
            known.charged = True

    # --- invariants

    def _entries(self, name: str) -> list[Entry]:
        key = self.world.journal.find(NAME, name)
        assert key is not None, f"{name} was acknowledged and is gone"
        return list(self.world.journal.entries(key))

    def _received(self, name: str) -> dict[str, list[int]]:
        received: dict[str, list[int]] = {}
        for entry in self._entries(name):
            if entry.kind is EntryKind.EVENT_RECEIVED:
                received.setdefault(data_of(entry, ReceivedEvent).event, []).append(
                    values.decode(entry.value)
                )
        return received

    @invariant()
    def user_code_never_saw_anything_wrong(self) -> None:
        assert self.violations == []

    @invariant()
    def every_history_is_sound(self) -> None:
        for name, known in self.known.items():
            entries = self._entries(name)
            self._check_attempts(entries)
            self._check_events(known, entries)
            self._check_deadlines(entries)
            ends = Counter(
                e.step
                for e in entries
                if e.kind
                in (
                    EntryKind.SLEEP_COMPLETE,
                    EntryKind.WAIT_COMPLETE,
                    EntryKind.WAIT_TIMED_OUT,
                    EntryKind.STEP_SUCCESS,
                    EntryKind.STEP_FAILURE,
                )
            )
            assert all(count == 1 for count in ends.values()), ends
            if known.terminated:
                assert entries[-1].kind is EntryKind.WORKFLOW_TERMINATED
            self._check_rollback(entries)

    def _check_rollback(self, entries: list[Entry]) -> None:
        """Handlers start in reverse order of the steps they belong to, one after the other."""
        steps = [e.step for e in entries if e.kind is EntryKind.STEP_START and _has_handler(e)]
        handlers: list[str] = []
        kinds = [e.kind for e in entries]
        for entry in entries:
            if entry.kind is EntryKind.ROLLBACK_STEP_START:
                assert len(handlers) == kinds[: entries.index(entry)].count(
                    EntryKind.ROLLBACK_STEP_SUCCESS
                )
                handlers.append(entry.step.replace("rollback:", "do:", 1))
        assert handlers == steps[::-1][: len(handlers)]
        assert kinds.count(EntryKind.ROLLBACK_START) <= 1
        if EntryKind.ROLLBACK_COMPLETE in kinds:
            assert len(handlers) == len(steps)

    def _check_attempts(self, entries: list[Entry]) -> None:
        by_step: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.step.startswith(("do:", "rollback:")):
                by_step.setdefault(entry.step, []).append(entry)
        for history in by_step.values():
            kinds = Counter(e.kind for e in history)
            numbers = [e.attempt for e in history if e.kind in ATTEMPT_STARTS]
            assert numbers == list(range(1, len(numbers) + 1))
            assert kinds[EntryKind.STEP_START] + kinds[EntryKind.ROLLBACK_STEP_START] == 1
            if history[0].step.endswith(":in"):
                continue  # it has another limit
            assert sum(kinds[kind] for kind in ATTEMPT_FAILURES) <= LIMIT + 1
            assert len(numbers) <= LIMIT + 1 + kinds[EntryKind.ATTEMPT_INTERRUPTED]

    def _check_events(self, known: Known, entries: list[Entry]) -> None:
        received: dict[str, list[int]] = {}
        consumed: dict[str, list[int]] = {}
        for entry in entries:
            if entry.kind is EntryKind.EVENT_RECEIVED:
                received.setdefault(data_of(entry, ReceivedEvent).event, []).append(
                    values.decode(entry.value)
                )
            if entry.kind is EntryKind.WAIT_COMPLETE:
                event = values.decode(entry.value)
                consumed.setdefault(event["type"], []).append(event["payload"])
        assert received == {key: sent for key, sent in known.sent.items() if sent}
        for event_type, payloads in consumed.items():
            assert payloads == received[event_type][: len(payloads)]

    def _check_deadlines(self, entries: list[Entry]) -> None:
        """Nothing ends a wait before its time, and time spent paused does not count."""
        due: dict[str, int] = {}
        paused_ms: int | None = None
        for entry in entries:
            data = members_of(entry)
            match entry.kind:
                case EntryKind.SLEEP_START:
                    due[entry.step] = data["untilMs"]
                case EntryKind.WAIT_START:
                    due[entry.step] = entry.at_ms + data["timeoutMs"]
                case (
                    EntryKind.ATTEMPT_FAILURE
                    | EntryKind.ROLLBACK_ATTEMPT_FAILURE
                    | EntryKind.RETRY_DELAYED
                ) if "retryDelayMs" in data:
                    due[entry.step] = entry.at_ms + data["retryDelayMs"]
                case EntryKind.TIMER_SKIPPED:
                    due[entry.step] = entry.at_ms
                case (
                    EntryKind.SLEEP_COMPLETE
                    | EntryKind.WAIT_TIMED_OUT
                    | EntryKind.ATTEMPT_START
                    | EntryKind.ROLLBACK_ATTEMPT_START
                ):
                    assert entry.at_ms >= due.pop(entry.step, 0)
                case EntryKind.WORKFLOW_PAUSED:
                    paused_ms = entry.at_ms
                case EntryKind.WORKFLOW_RESUMED | EntryKind.WORKFLOW_RESTARTED if (
                    paused_ms is not None
                ):
                    due = {step: at_ms + entry.at_ms - paused_ms for step, at_ms in due.items()}
                    paused_ms = None

    @invariant()
    def memory_fits_itself_and_the_journal(self) -> None:
        self.world.engine.roster.check()

    @invariant()
    def the_journal_is_sound(self) -> None:
        assert unsound(self.world.journal) == []

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Whoever is not finished or paused runs, is queued for a reason, or has a timer."""
        roster = self.world.engine.roster
        for name in self.known:
            instance = self._instance(name)
            key = instance.key
            run = roster.run_of(key)
            if instance.is_terminal or instance.status is Status.PAUSED:
                assert run is None
            elif key in roster.unrecorded:
                assert roster.refused
            elif run is None:
                self._check_dormant(roster, instance)
            elif not run.executing:
                assert run.state.leaves or (run.blocked and run in self.world.engine.idle)

    def _check_dormant(self, roster: Roster, instance: Instance) -> None:
        if instance.status is Status.WAITING:
            due_ms = instance.next_due_ms()
            assert due_ms is not None and due_ms > self.world.clock.now_ms()
            woken_ms = roster.timers.due_ms(instance.key)
            assert woken_ms is not None and woken_ms <= due_ms
            assert not any(
                step.state is StepState.WAITING and instance.events.get(step.event_type)
                for step in instance.steps.values()
            )
        elif rollbacks.retry_ms(instance) is not None and instance.key not in roster.ready:
            due_ms = rollbacks.retry_ms(instance)
            assert due_ms is not None and due_ms > self.world.clock.now_ms()
            woken_ms = roster.timers.due_ms(instance.key)
            assert woken_ms is not None and woken_ms <= due_ms
        else:
            assert instance.status in (Status.QUEUED, Status.RUNNING, Status.ROLLING_BACK)
            assert instance.key in roster.ready
            full = len(roster.ready.active) >= CONCURRENCY
            assert full or self.world.engine.serving.guest is None or roster.refused

    def _instance(self, name: str) -> Instance:
        key = self.world.journal.find(NAME, name)
        assert key is not None
        return self.world.engine.roster.instance(key)

    @invariant()
    def nothing_is_left_of_deleted_instances(self) -> None:
        journal, engine = self.world.journal, self.world.engine
        there = {journal.find(NAME, name) for name in self.known}
        query = journal.query
        assert {key for (key,) in query("SELECT key FROM instances")} == there
        assert {key for (key,) in query("SELECT DISTINCT instance FROM entries")} <= there
        assert engine.roster.keys() <= there

    # --- the end: without further disturbance every instance ends as its plan says

    def _end(self) -> None:
        self.hurry = True
        self.gate.set()
        self.world.disk.accept_commits()
        self.do(self._resume_all())
        self.do(self.world.advance(2 * DAY))
        for name, known in self.known.items():
            ended = self.world.status(name)
            if known.terminated:
                assert ended == "terminated"
            elif known.rolled_back and ended == "terminated":
                self._check_undone(known, name)
            elif known.raises:
                assert ended == "errored", (name, known.plan)
                assert self.world.error(name) == ("Error", "as planned")
                self._check_undone(known, name)
            else:
                assert ended == "complete", (name, known.plan)
                self._check_outcome(known, known.plan, self.world.output(name))
        engine = self.world.engine
        assert engine.roster.check() == Census()
        assert self.world.guest.runs == 0
        self.user_code_never_saw_anything_wrong()
        self.every_history_is_sound()

    def _check_undone(self, known: Known, name: str) -> None:
        if any(entry.kind is EntryKind.ROLLBACK_START for entry in self._entries(name)):
            outcome = self.world.rollback(name)["outcome"]
            assert outcome == "complete" or known.charged
            assert known.undone or outcome == "failed"

    async def _resume_all(self) -> None:
        self._hear()
        if self.world.engine.serving.guest is None:
            self.world.load()
        await self.world.advance(MINUTE)  # time to find that the disk accepts again
        for name in self.known:
            await self.world.resume(name)

    def _check_outcome(self, known: Known, plan: Plan, output: list[Any]) -> None:
        assert len(output) == len(plan)
        for item, result in zip(plan, output, strict=True):
            match item["kind"]:
                case "both":
                    for branch, inner in zip(item["branches"], result, strict=True):
                        self._check_outcome(known, branch, inner)
                case "sleep":
                    assert result is None
                case "wait":
                    sent = known.sent.get(item["type"], [])
                    assert result in sent or result == "WorkflowTimeoutError"
                case _ if item["fails"] <= LIMIT and not known.charged:
                    assert isinstance(result, int)
                case _:
                    note(f"{item} may have failed: {result}")


TestEngineModel = EngineModel.TestCase
TestEngineModel.settings = settings(
    # Shrinking takes minutes, and the blob that is printed repeats a failure as it is.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=int(os.environ.get("MODEL_EXAMPLES", "30")),
    stateful_step_count=35,
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
