"""The guard: what becomes of instances when the code they wake up in is not what they began in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.guard import held
from emulator.engine.handover import RECALL_MAX_MS
from emulator.engine.model.divergence import Change, Diverged, Policy
from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance_entries import RestartPoint
from emulator.errors import WorkerError
from emulator.protocol.runs import RunStart
from tests.engine.scripted import Context, Step, StepError, Workflow
from tests.engine.world import CLASS, GRACE_MS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


def charging(name: str = "charge", nap: Any = "1 hour") -> Workflow:
    """An order that is paid for, sleeps, and is shipped."""

    async def workflow(event: Event, step: Step) -> list[Any]:
        loaded = await step.do("load", lambda ctx: "order", line="src/entry.py:10")
        paid = await step.do(name, lambda ctx: f"{name}d", line="src/entry.py:11")
        await step.sleep("settle", nap, line="src/entry.py:12")
        shipped = await step.do("ship", lambda ctx: "gone", line="src/entry.py:13")
        return [loaded, paid, shipped]

    return workflow


def told(world: World) -> list[Diverged]:
    """Collect what the person at the terminal is told."""
    diverged: list[Diverged] = []
    world.engine.divergences.told = diverged.append
    return diverged


def changes(diverged: Diverged) -> list[tuple[Change, str, str]]:
    return [(f.change, f.name, f.new_name) for f in diverged.divergence.findings]


def test_a_step_that_is_done_and_was_renamed_does_not_run_under_its_new_name(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(2 * HOUR)

        assert world.status() == "paused"
        assert world.attempts("charge_card-1") == []

    play(tmp_path, charging(), story)


def test_a_divergence_is_told_soon_after_the_save_although_the_instance_sleeps(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)

        assert world.status() == "paused"
        assert [changes(each) for each in diverged] == [[(Change.RENAMED, "charge", "charge_card")]]
        (one,) = diverged
        assert (one.workflow, one.id, one.action) == (NAME, "a", Policy.HOLD)
        assert [(line.sign, line.name, line.line) for line in one.divergence.diff] == [
            (" ", "load", "src/entry.py:10"),
            ("-", "charge", "src/entry.py:11"),
            ("-", "settle", "src/entry.py:12"),
            ("+", "charge_card", "src/entry.py:11"),
        ]

    play(tmp_path, charging(), story)


def test_an_undone_edit_lets_the_instance_go_on_by_itself_with_its_deadline_kept(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        due_ms = world.clock.now_ms() + HOUR
        world.load({CLASS: charging("charge_card")})
        await world.advance(10 * MINUTE)
        assert world.status() == "paused"

        world.load({CLASS: charging()})
        await world.advance(MINUTE)
        assert world.status() == "waiting"
        await world.advance(due_ms - world.clock.now_ms())

        assert world.output() == ["order", "charged", "gone"]
        assert world.attempts("charge-1") == [1]

    play(tmp_path, charging(), story)


def test_code_that_still_fits_goes_on_without_a_word(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: charging()})
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charged", "gone"]
        assert (diverged, world.reports) == ([], [])
        assert [members_of(e) for e in world.entries() if e.kind is EntryKind.CODE_CHANGED] == [
            {"generation": 2}
        ]

    play(tmp_path, charging(), story)


def test_a_restart_on_unchanged_code_is_not_guarded(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.code = "the same"
        world.load()
        await world.create()
        await world.crash_and_boot()
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charged", "gone"]
        assert [e.kind for e in world.entries()].count(EntryKind.CODE_CHANGED) == 0

    play(tmp_path, charging(), story)


def test_an_edit_made_while_no_server_ran_is_guarded(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.workflows = {CLASS: charging("charge_card")}
        await world.crash_and_boot()
        await world.advance(2 * HOUR)

        assert world.status() == "paused"
        assert world.attempts("charge_card-1") == []

    play(tmp_path, charging(), story)


def test_a_running_instance_is_held_before_its_next_step(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def paying(name: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            await step.do(name, lambda ctx: None)
            await step.do("slow", slow)
            await step.do("last", lambda ctx: None)

        return workflow

    async def slow(ctx: Context) -> None:
        await gate.wait()

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: paying("pay by card")})
        gate.set()
        await world.advance(MINUTE)

        assert world.status() == "paused"
        assert world.attempts("slow-1") == [1]  # it ended where it was, and is recorded
        assert EntryKind.STEP_SUCCESS in world.kinds()
        assert world.attempts("pay by card-1") == world.attempts("last-1") == []

    play(tmp_path, paying("pay"), story)


def test_a_held_instance_is_told_of_after_each_save_and_recorded_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        for _ in range(3):
            world.load({CLASS: charging("charge_card")})
            await world.advance(SECOND)

        assert len(diverged) == 3
        assert world.kinds().count(EntryKind.WORKFLOW_DIVERGED) == 1
        await world.control.resume_held(NAME, "a", None)
        await world.advance(2 * HOUR)
        assert world.output() == ["order", "charge_cardd", "gone"]

    play(tmp_path, charging(), story)


def test_of_a_held_instance_the_steps_that_the_last_code_misses_are_recorded(
    tmp_path: Path,
) -> None:
    """Each save misses one more call of the same name: the finding is the same, in words."""

    def calling(times: int) -> Workflow:
        async def workflow(event: Event, step: Step) -> list[Any]:
            done = [await step.do("charge", lambda ctx: "paid") for _ in range(times)]
            await step.sleep("settle", "1 hour")
            return done

        return workflow

    async def story(world: World) -> None:
        await world.create()
        for times in (2, 1):
            world.load({CLASS: calling(times)})
            await world.advance(SECOND)

        key = world.journal.find(NAME, "a")
        assert key is not None
        missing = held.divergence_of(world.engine.roster.instance(key)).missing
        assert missing == ("do:2:charge", "do:3:charge")

    play(tmp_path, calling(3), story)


def test_an_accepted_instance_goes_on_as_the_code_has_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        assert await world.control.resume_held(NAME, "a", None) == ["a"]
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charge_cardd", "gone"]
        assert world.attempts("charge_card-1") == [1]
        assert world.attempts("load-1") == [1]

    play(tmp_path, charging(), story)


def test_an_accepted_insertion_uses_the_recorded_steps_behind_it(tmp_path: Path) -> None:
    async def inserted(event: Event, step: Step) -> list[Any]:
        loaded = await step.do("load", lambda ctx: "again")
        await step.do("check", lambda ctx: None)
        paid = await step.do("charge", lambda ctx: "again")
        await step.sleep("settle", "1 hour")
        return [loaded, paid]

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: inserted})
        await world.advance(SECOND)
        assert world.status() == "paused"

        await world.control.resume_held(NAME, "a", None)
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charged"]
        assert world.attempts("charge-1") == [1]
        assert world.attempts("check-1") == [1]

    play(tmp_path, charging(), story)


def test_steps_found_again_after_an_insertion_are_guarded_as_before(tmp_path: Path) -> None:
    def with_check(charge: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            await step.do("load", lambda ctx: None)
            await step.do("check", lambda ctx: None)
            await step.do(charge, lambda ctx: None)
            await step.sleep("settle", "1 hour")

        return workflow

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: with_check("charge")})
        await world.advance(SECOND)
        await world.control.resume_held(NAME, "a", None)
        await world.advance(MINUTE)
        world.load({CLASS: with_check("charge_card")})
        await world.advance(2 * HOUR)

        assert world.status() == "paused"
        assert world.attempts("charge_card-1") == []

    play(tmp_path, charging(), story)


def test_a_renamed_step_keeps_its_recorded_result(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        await world.control.resume_held(NAME, "a", {"charge": "charge_card"})
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charged", "gone"]
        assert world.attempts("charge_card-1") == []

    play(tmp_path, charging(), story)


def test_a_renaming_that_does_not_explain_everything_holds_the_instance_again(
    tmp_path: Path,
) -> None:
    async def other(event: Event, step: Step) -> None:
        await step.do("fetch", lambda ctx: None)
        await step.do("charge_card", lambda ctx: None)
        await step.sleep("settle", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: other})
        await world.advance(SECOND)
        await world.control.resume_held(NAME, "a", {"load": "fetch"})
        await world.advance(SECOND)

        assert world.status() == "paused"
        assert changes(diverged[-1]) == [(Change.RENAMED, "charge", "charge_card")]
        await world.control.resume_held(NAME, "a", {"charge": "charge_card"})
        await world.advance(2 * HOUR)
        assert world.status() == "complete"
        assert world.attempts("fetch-1") == world.attempts("charge_card-1") == []

    play(tmp_path, charging(), story)


@pytest.mark.parametrize("all_alike", [False, True])
def test_a_choice_can_be_made_for_all_that_diverged_in_the_same_way(
    tmp_path: Path, all_alike: bool
) -> None:
    async def story(world: World) -> None:
        for instance in "abc":
            await world.create(instance)
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        assert [world.status(each) for each in "abc"] == ["paused"] * 3

        renames = {"charge": "charge_card"}
        released = await world.control.resume_held(NAME, "b", renames, all_alike)
        await world.advance(2 * HOUR)

        assert sorted(released) == (list("abc") if all_alike else ["b"])
        done = [each for each in "abc" if world.status(each) == "complete"]
        assert done == sorted(released)

    play(tmp_path, charging(), story)


def test_a_plain_resume_of_a_held_instance_says_what_to_choose(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)

        with pytest.raises(WorkerError) as raised:
            await world.resume()

        assert '"charge" was renamed to "charge_card"' in raised.value.message
        assert f"instances resume {NAME} a --accept" in raised.value.message
        assert world.status() == "paused"

    play(tmp_path, charging(), story)


@pytest.mark.parametrize(
    ("renames", "problem"),
    [
        ({"chrage": "charge_card"}, 'No recorded step "chrage" is missing'),
        ({"charge": "load"}, '"charge" #1 cannot become "load" #1'),
    ],
)
def test_a_renaming_of_what_cannot_be_renamed_changes_nothing(
    tmp_path: Path, renames: dict[str, str], problem: str
) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        before = world.entries()

        with pytest.raises(WorkerError, match="cannot_rename") as raised:
            await world.control.resume_held(NAME, "a", renames)

        assert problem in raised.value.message
        assert world.entries() == before

    play(tmp_path, charging(), story)


def test_an_instance_that_is_not_held_has_nothing_to_accept(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        with pytest.raises(WorkerError, match="not_held"):
            await world.control.resume_held(NAME, "a", None)

    play(tmp_path, charging(), story)


def test_a_held_instance_is_still_held_after_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        await world.crash_and_boot()
        await world.advance(2 * HOUR)

        assert world.status() == "paused"
        instance = world.engine.roster.instance(1)
        assert held.divergence_of(instance).missing == ("do:1:charge", "sleep:1:settle")

    play(tmp_path, charging(), story)


def test_a_held_instance_can_be_restarted_from_the_step_before_the_change(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        await world.restart(start=RestartPoint("charge"))
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charge_cardd", "gone"]
        assert world.attempts("load-1") == [1]

    play(tmp_path, charging(), story)


def test_a_renamed_step_can_be_restarted_from_under_its_new_name(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        await world.control.resume_held(NAME, "a", {"charge": "charge_card"})
        await world.advance(2 * HOUR)
        await world.restart(start=RestartPoint("charge_card"))
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charge_cardd", "gone"]
        assert world.attempts("load-1") == [1]
        assert world.attempts("charge_card-1") == [1]

    play(tmp_path, charging(), story)


@pytest.mark.parametrize("verb", ["restart", "terminate", "delete"])
def test_a_held_instance_can_be_ended_or_begun_anew(tmp_path: Path, verb: str) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        await getattr(world, verb)()
        await world.advance(2 * HOUR)

        if verb == "restart":
            assert world.output() == ["order", "charge_cardd", "gone"]
        elif verb == "terminate":
            assert world.status() == "terminated"

    play(tmp_path, charging(), story)


def test_under_warn_the_instance_goes_on_and_what_it_lost_is_told(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.engine.divergences.policy = Policy.WARN
        await world.create()
        diverged = told(world)
        world.load({CLASS: charging("charge_card")})
        await world.advance(2 * HOUR)

        assert world.output() == ["order", "charge_cardd", "gone"]
        assert [each.action for each in diverged] == [Policy.WARN]
        assert EntryKind.WORKFLOW_DIVERGED in world.kinds()

    play(tmp_path, charging(), story)


def test_under_fail_the_instance_ends_with_an_error_that_says_why(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.engine.divergences.policy = Policy.FAIL
        await world.create()
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)

        name, message = world.error()
        assert name == "WorkflowDivergedError"
        assert '"charge" was renamed to "charge_card"' in message

    play(tmp_path, charging(), story)


def test_a_sleep_that_still_lasts_is_held_when_its_duration_changes(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: charging(nap="1 minute")})
        await world.advance(SECOND)

        assert world.status() == "paused"
        (finding,) = diverged[0].divergence.findings
        assert (finding.change, finding.detail) == (Change.SLEEP, "1 hour -> 1 minute")

        await world.control.resume_held(NAME, "a", None)
        await world.advance(2 * MINUTE)
        assert world.status() == "waiting"  # the recorded end stays
        await world.advance(HOUR)
        assert world.status() == "complete"

    play(tmp_path, charging(), story)


def test_a_sleep_that_is_over_may_change_its_duration(tmp_path: Path) -> None:
    def napping(nap: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            await step.sleep("nap", nap)
            await step.wait_for_event("go on", "go")

        return workflow

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        world.load({CLASS: napping("1 hour")})
        await world.advance(MINUTE)
        await world.send("go")

        assert world.status() == "complete"

    play(tmp_path, napping("1 second"), story)


def test_events_sent_to_a_held_instance_are_not_lost(tmp_path: Path) -> None:
    def waiting(name: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> Any:
            await step.do(name, lambda ctx: None)
            return (await step.wait_for_event("answer", "answer"))["payload"]

        return workflow

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: waiting("put")})
        await world.advance(SECOND)
        await world.send("answer", 42)
        assert world.status() == "paused"
        await world.control.resume_held(NAME, "a", {"ask": "put"})
        await world.advance(SECOND)

        assert world.output() == 42

    play(tmp_path, waiting("ask"), story)


@pytest.mark.parametrize(
    ("late_ms", "outcome"), [(-HOUR, 42), (0, 42), (1, "WorkflowTimeoutError")]
)
def test_an_event_that_came_in_time_counts_although_the_instance_was_held_longer(
    tmp_path: Path, late_ms: int, outcome: Any
) -> None:
    def waiting(name: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> Any:
            await step.do(name, lambda ctx: None)
            try:
                return (await step.wait_for_event("answer", "answer", "2 hours"))["payload"]
            except StepError as error:
                return error.name

        return workflow

    async def story(world: World) -> None:
        await world.create()
        deadline_ms = world.clock.now_ms() + 2 * HOUR
        world.load({CLASS: waiting("put")})
        await world.advance(deadline_ms + late_ms - world.clock.now_ms())
        await world.send("answer", 42)
        await world.advance(2 * HOUR)
        assert world.status() == "paused"
        await world.control.resume_held(NAME, "a", {"ask": "put"})
        await world.advance(SECOND)

        assert world.output() == outcome

    play(tmp_path, waiting("ask"), story)


def test_a_sleeping_instance_whose_replay_takes_the_guest_down_is_looked_at_once(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.code = "the same"
        for _ in range(3):
            world.load()
            await world.advance(SECOND)
            world.lose_guest()

        assert [start.probe for start in world.sent(RunStart)] == [False, True]
        assert world.status() == "waiting"

    play(tmp_path, charging(), story)


def test_steps_called_in_a_callback_are_not_missed_when_it_need_not_run(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def outer(ctx: Context) -> None:
            await ctx.step.do("inner", lambda ctx: None)

        await step.do("outer", outer)
        await step.sleep("nap", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(2 * HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_a_run_that_asked_for_everything_recorded_need_not_come_to_rest(tmp_path: Path) -> None:
    io = asyncio.Event()

    def polling(polls: bool) -> Workflow:
        async def workflow(event: Event, step: Step) -> str:
            await step.do("first", lambda ctx: None)
            if polls:
                await io.wait()
            await step.sleep("nap", "1 minute")
            return "done"

        return workflow

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: polling(polls=True)})
        io.set()
        await world.advance(2 * MINUTE)

        assert world.output() == "done"

    play(tmp_path, polling(polls=False), story)


def test_a_run_that_cannot_be_waited_for_goes_on_with_a_warning_even_under_hold(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: charging("charge_card")}).comes_to_rest = False
        await world.advance(MINUTE)
        assert (world.status(), diverged) == ("waiting", [])  # looking early proved nothing

        await world.advance(2 * HOUR)
        assert world.status() == "complete"
        assert [each.action for each in diverged] == [Policy.WARN]
        assert diverged[0].divergence.why == "waiting at x.py:1"

    play(tmp_path, charging(), story)


def test_new_code_that_raises_at_once_holds_the_instance_instead_of_failing_it(
    tmp_path: Path,
) -> None:
    async def broken(event: Event, step: Step) -> None:
        raise ValueError("not like this")

    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: broken})
        await world.advance(SECOND)

        assert world.status() == "paused"
        assert diverged[0].divergence.stands == "ended"
        assert diverged[0].divergence.why == "ValueError: not like this"

    play(tmp_path, charging(), story)


def test_of_instances_with_the_same_steps_one_is_checked_first_and_the_others_if_it_diverges(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        for n in range(20):
            await world.create(f"i{n}")
        world.load({CLASS: charging()})
        await world.advance(SECOND)
        assert len(world.started()) == 20 + 1

        diverged = told(world)
        world.load({CLASS: charging("charge_card")})
        await world.advance(SECOND)
        assert len(diverged) == 20

    play(tmp_path, charging(), story)


def test_an_instance_that_still_leaves_its_old_guest_is_looked_at_once_it_has(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.guest.answers_ask_first = False
        world.load({CLASS: charging("charge_card")})
        await world.advance(RECALL_MAX_MS - 1)
        assert diverged == []

        await world.advance(GRACE_MS)
        assert len(diverged) == 1

    play(tmp_path, charging(), story)


FITS: dict[str, tuple[Workflow, Workflow]] = {}


def pair(name: str) -> Callable[[Callable[[], tuple[Workflow, Workflow]]], None]:
    def keep(make: Callable[[], tuple[Workflow, Workflow]]) -> None:
        FITS[name] = make()

    return keep


@pair("steps after the recorded ones")
def _longer() -> tuple[Workflow, Workflow]:
    async def old(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: None)
        await step.sleep("nap", "1 hour")

    async def new(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: "other body")
        await step.sleep("nap", "1 hour")
        await step.do("b", lambda ctx: None)

    return old, new


@pair("another retry configuration")
def _retries() -> tuple[Workflow, Workflow]:
    def trying(limit: int) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            retries = {"limit": limit, "delay": "1 hour", "backoff": "constant"}
            await step.do("try", fail_once, {"retries": retries})

        return workflow

    return trying(3), trying(5)


@pair("branches of a gather in another order")
def _gather() -> tuple[Workflow, Workflow]:
    def branches(names: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            await asyncio.gather(*(step.do(name, lambda ctx: None) for name in names))
            await step.sleep("nap", "1 hour")

        return workflow

    return branches("abc"), branches("cab")


def test_that_a_recorded_configuration_stays_is_said_once(tmp_path: Path) -> None:
    old, new = FITS["another retry configuration"]

    async def story(world: World) -> None:
        await world.create("a")
        await world.create("b")
        world.load({CLASS: new})
        await world.advance(2 * HOUR)

        (report,) = world.reports
        assert 'step "try" has another configuration now' in report
        assert world.status("a") == world.status("b") == "complete"

    play(tmp_path, old, story)


def fail_once(ctx: Context) -> None:
    if ctx.attempt == 1:
        raise ValueError("not yet")


@pytest.mark.parametrize("codes", FITS.values(), ids=FITS)
def test_harmless_edits_are_not_held(tmp_path: Path, codes: tuple[Workflow, Workflow]) -> None:
    old, new = codes

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: new})
        await world.advance(2 * HOUR)

        assert world.status() == "complete"

    play(tmp_path, old, story)
