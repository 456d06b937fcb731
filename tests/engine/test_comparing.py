"""Recorded steps against asked-for steps: what is found, and how it is told apart."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.engine.guard.comparison import Asked, ReplayReport, compare, pending_change
from emulator.engine.model.divergence import Change, DiffLine, Divergence, Finding
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_key import step_key

HOUR = 3_600_000
AT_1, AT_2 = "1970-01-01T01:00:00.000Z", "1970-01-01T02:00:00.000Z"
_STATES = {
    "do": StepState.SUCCEEDED,
    "sleep": StepState.SLEEPING,
    "waitForEvent": StepState.WAITING,
}
SHORT = {"d": "do", "s": "sleep", "w": "waitForEvent"}


def parsed(text: str) -> list[tuple[str, str, int]]:
    """`"a a s:nap"` -> do a #1, do a #2, sleep nap #1."""
    counts: dict[tuple[str, str], int] = {}
    found = []
    for word in text.split():
        kind, _, name = word.rpartition(":")
        key = (SHORT[kind or "d"], name)
        counts[key] = counts.get(key, 0) + 1
        found.append((*key, counts[key]))
    return found


def recorded(text: str) -> list[Step]:
    steps = []
    for kind, name, count in parsed(text):
        step = Step(step_key(kind, name, count), _STATES[kind], line="src/old.py:1")
        step.timeout_ms = HOUR
        step.event_type = "go"
        steps.append(step)
    return steps


def asked(text: str, known: str = "") -> list[Asked]:
    options: dict[str, Any] = {
        "do": {},
        "sleep": {"duration": HOUR},
        "waitForEvent": {"type": "go"},
    }
    return [
        Asked(kind, name, count, f"src/new.py:{line}", options[kind])
        for line, (kind, name, count) in enumerate(parsed(text), 1)
    ]


def found(old: str, new: str, **replay: Any) -> Divergence | None:
    return compare(recorded(old), ReplayReport(asked(new), **replay), now_ms=0)


def told(old: str, new: str, **replay: Any) -> list[tuple[Change, str, str]]:
    divergence = found(old, new, **replay)
    return (
        [] if divergence is None else [(f.change, f.name, f.new_name) for f in divergence.findings]
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("a b", "a b"),
        ("a b", "a b c"),
        ("a b c", "c a b"),
        ("a b", "c b a"),
        ("item item item", "item item item item"),
        ("a s:nap", "a s:nap"),
        ("a w:go", "w:go a"),
    ],
)
def test_what_is_asked_for_again_fits_in_any_order_and_with_more_behind(old: str, new: str) -> None:
    assert found(old, new) is None


R, P, K, C = Change.RENAMED, Change.REPLACED, Change.KIND, Change.COUNT
GONE, OUT = Change.REMOVED, Change.UNREACHABLE


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a b", "a c", [(R, "b", "c")]),
        ("a b c", "a x", [(R, "b", "x")]),
        ("a", "x a", []),
        ("a b c d", "a x c d", [(R, "b", "x")]),
        ("a b c", "x y z", [(R, "a", "x"), (R, "b", "y"), (R, "c", "z")]),
        ("a a b", "x y", [(R, "a", "x"), (R, "b", "y")]),
        ("a b", "a a x", [(R, "b", "x")]),
        ("item item item", "thing", [(R, "item", "thing")]),
        ("a b", "a s:b", [(K, "b", "b")]),
        ("a s:nap", "a nap", [(K, "nap", "nap")]),
        ("a s:nap", "a x", [(P, "nap", "x")]),
        ("a b c", "a c", [(GONE, "b", "")]),
        ("a b c", "a c d", [(GONE, "b", "")]),
        ("item item item", "item item", [(C, "item", "")]),
        ("item item item", "item check", [(C, "item", "")]),
        ("a b", "a", [(GONE, "b", "")]),
    ],
)
def test_removed_and_unreachable_steps_are_distinguished(
    old: str, new: str, expected: list[tuple[Change, str, str]]
) -> None:
    assert told(old, new) == expected


def test_a_step_that_the_code_still_has_is_unreachable_and_not_removed() -> None:
    assert told("a b c", "a c", declared={"b": "src/new.py:9"}) == [(OUT, "b", "")]
    divergence = found("a b", "a", stands="ended", declared={"b": "src/new.py:9"})
    assert divergence is not None
    assert divergence.findings[0].line == "src/new.py:9"


def test_steps_behind_the_first_change_are_only_not_reached_yet() -> None:
    divergence = found("a b c d", "a x")

    assert divergence is not None
    assert divergence.missing == ("do:1:b", "do:1:c", "do:1:d")
    assert divergence.later == ("do:1:c", "do:1:d")


def test_of_a_run_that_ended_nothing_is_left_to_be_reached() -> None:
    divergence = found("a b c", "a x", stands="ended")

    assert divergence is not None
    assert [finding.change for finding in divergence.findings] == [R, GONE]
    assert divergence.later == ()


def test_a_divergence_says_how_the_replay_ended_and_why() -> None:
    divergence = found("a b", "a", stands="ended", why="ValueError: no")

    assert divergence is not None
    assert (divergence.stands, divergence.why) == ("ended", "ValueError: no")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a", "s:x", Finding(P, "do", "a", (1,), "sleep", "x", line="src/new.py:1", done=True)),
        ("s:a", "s:x", Finding(R, "sleep", "a", (1,), "sleep", "x", line="src/new.py:1")),
        ("a a", "a", Finding(C, "do", "a", (2,), done=True)),
        ("a b", "a", Finding(GONE, "do", "b", (1,), done=True)),
    ],
)
def test_a_finding_says_what_is_there_now_and_whether_the_old_step_has_ended(
    old: str, new: str, expected: Finding
) -> None:
    divergence = found(old, new)

    assert divergence is not None
    assert divergence.findings == (expected,)


def test_the_diff_has_recorded_and_new_steps_in_one_order() -> None:
    divergence = found("a b c d", "a x d y")

    assert divergence is not None
    assert [(line.sign, line.name) for line in divergence.diff] == [
        (" ", "a"), ("-", "b"), ("-", "c"), ("+", "x"), (" ", "d"), ("+", "y"),
    ]  # fmt: skip


def test_a_line_of_the_diff_names_the_step_and_its_state() -> None:
    divergence = found("a b s:nap", "a s:nap w:x")

    assert divergence is not None
    assert divergence.diff == (
        DiffLine(" ", "do", "a", 1, "succeeded", "src/new.py:1"),
        DiffLine("-", "do", "b", 1, "succeeded", "src/old.py:1"),
        DiffLine(" ", "sleep", "nap", 1, "sleeping", "src/new.py:2"),
        DiffLine("+", "waitForEvent", "x", 1, "", "src/new.py:3"),
    )


def test_a_step_that_asks_for_something_else_is_marked_in_the_diff() -> None:
    replay = ReplayReport([*asked("a"), Asked("sleep", "nap", 1, options={"duration": "2 hours"})])
    divergence = compare(recorded("a s:nap"), replay, now_ms=0)

    assert divergence is not None
    assert [(line.sign, line.name) for line in divergence.diff] == [(" ", "a"), ("~", "nap")]


def test_of_a_long_history_only_what_is_near_a_change_is_shown() -> None:
    names = [f"s{n}" for n in range(1000)]
    divergence = found(" ".join(names), " ".join([*names[:500], "new", *names[501:]]))

    assert divergence is not None
    assert [line.sign for line in divergence.diff] == ["…", *"   ", "-", "+", *"   ", "…"]
    assert divergence.diff[0] == divergence.diff[-1] == DiffLine("…", "do", "", 0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"duration": "1 hour"}, None),
        ({"duration": "2 hours"}, (Change.SLEEP, "1 hour -> 2 hours")),
        ({"duration": "soon"}, (Change.SLEEP, "1 hour -> 'soon'")),
        ({"timestamp": HOUR}, None),
        (
            {"timestamp": 2 * HOUR},
            (Change.UNTIL, f"{AT_1} -> {AT_2}"),
        ),
        ({"timestamp": float("inf")}, (Change.UNTIL, f"{AT_1} -> inf")),
        ({"timestamp": 1e30}, (Change.UNTIL, f"{AT_1} -> 1e+30")),
        ({"timestamp": "noon"}, (Change.UNTIL, f"{AT_1} -> 'noon'")),
        ({"timestamp": HOUR + 10 * 60_000}, None),  # an hour from now, asked 10 minutes later
        ({"timestamp": HOUR + 10 * 60_000 + 2_000}, None),  # some time passes until it is asked
        (
            {"timestamp": HOUR + 10 * 60_000 + 2_001},
            (Change.UNTIL, f"{AT_1} -> 1970-01-01T01:10:02.001Z"),
        ),
    ],
)
def test_a_sleep_that_still_lasts_must_be_the_same(
    options: dict[str, Any], expected: tuple[Change, str] | None
) -> None:
    replay = ReplayReport([Asked("sleep", "nap", 1, options=options)])
    divergence = compare(recorded("s:nap"), replay, now_ms=10 * 60_000)

    finding = None if divergence is None else divergence.findings[0]
    assert (finding and (finding.change, finding.detail)) == expected


def test_what_a_sleep_asks_for_says_where_it_stands_now() -> None:
    new = Asked("sleep", "nap", 1, "src/new.py:7", {"duration": "2 hours"})

    assert pending_change(recorded("s:nap")[0], new, now_ms=0) == Finding(
        Change.SLEEP, "sleep", "nap", (1,), detail="1 hour -> 2 hours", line="src/new.py:7"
    )


def test_a_sleep_that_has_ended_or_was_answered_from_history_may_ask_for_anything() -> None:
    step = recorded("s:nap")[0]

    assert pending_change(step, Asked("sleep", "nap", 1, options=None), now_ms=0) is None
    step.state = StepState.SUCCEEDED
    assert pending_change(step, Asked("sleep", "nap", 1, options={"duration": 1}), 0) is None


def test_a_wait_must_wait_for_the_same_type() -> None:
    replay = ReplayReport([Asked("waitForEvent", "answer", 1, options={"type": "other"})])
    divergence = compare(recorded("w:answer"), replay, now_ms=0)

    assert divergence is not None
    assert divergence.findings[0].detail == '"go" -> "other"'


def test_steps_that_a_callback_called_are_left_out() -> None:
    steps = recorded("a inner")
    steps[1].parent = steps[0].key

    assert compare(steps, ReplayReport(asked("a")), now_ms=0) is None


def test_a_divergence_survives_being_written_down() -> None:
    divergence = found("a b c s:nap", "a x s:nap s:nap", declared={"b": "src/new.py:9"})

    assert divergence is not None
    assert Divergence.from_json(divergence.as_json()) == divergence
