"""The workflow commands against a running server. Each test uses instances of its own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.workflows.command import Command


def test_an_instance_is_triggered_listed_and_described(workflows: Command) -> None:
    triggered = workflows("trigger", "flow", '{"do": "wait"}', "--id", "seen")
    workflows.until("seen", "waiting")

    listed = workflows("instances", "list", "flow", "--status", "waiting")
    described = workflows("instances", "describe", "flow", "seen")

    assert triggered.out == "seen\n"
    assert "│ seen " in listed.out and "│ ◷ waiting" in listed.out
    assert described.out.startswith("flow / seen  ◷ waiting\n")
    assert "✓ greet " in described.out and 'waiting for "answered"' in described.out
    assert ", 59m 5" in described.out  # what is left of the hour it waits
    assert "src/entry.py:" in described.out
    assert "\x1b" not in described.out


def test_the_workflows_are_listed_with_their_counts(workflows: Command) -> None:
    workflows("trigger", "flow", "--id", "counted")
    workflows.until("counted", "complete")

    assert "│ flow " in workflows("list").out
    assert "✓ complete" in workflows("describe", "flow").out
    (flow,) = workflows.json("list")
    assert flow["name"] == "flow" and flow["instances"]["complete"] >= 1


def test_an_instance_is_paused_resumed_sent_an_event_restarted_and_terminated(
    workflows: Command,
) -> None:
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "steered")
    workflows.until("steered", "waiting")

    assert (
        workflows("instances", "pause", "flow", "steered").err == "flow / steered: is now paused\n"
    )
    assert workflows.detail("steered")["status"] == "paused"
    workflows("instances", "resume", "flow", "steered")
    sent = ("send-event", "flow", "steered", "--type", "answered", "--payload", '{"a": 1}')
    workflows("instances", *sent)
    assert workflows.until("steered", "complete")["output"] == {"a": 1}
    back = ("--from-step-name", "answer", "--from-step-type", "waitForEvent")
    workflows("instances", "restart", "flow", "steered", *back)
    workflows.until("steered", "waiting")
    assert "is now terminated" in workflows("instances", "terminate", "flow", "steered").err


def test_a_sleep_is_skipped(workflows: Command) -> None:
    workflows("trigger", "flow", '{"do": "sleep"}', "--id", "asleep")
    workflows.until("asleep", "waiting")

    assert "skipped the sleep of nap-1" in workflows("instances", "skip", "flow", "asleep").err
    workflows.until("asleep", "complete")


def test_instances_are_deleted_by_id_and_from_a_file(workflows: Command, tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    file.write_text(json.dumps(["gone-2", "never"]))
    for instance in ("gone-1", "gone-2"):
        workflows("trigger", "flow", "--id", instance)

    words = ("instances", "delete", "flow", "gone-1", "--filename", str(file))
    done = workflows(*words, code=1)

    assert "Deleted gone-1, gone-2" in done.err
    assert "1 instance not deleted:\n  never: " in done.err
    assert "no instance" in workflows("instances", "describe", "flow", "gone-1", code=1).err


def test_latest_is_the_newest_instance(workflows: Command) -> None:
    newest = workflows("trigger", "flow").out.strip()

    assert workflows.json("instances", "describe", "flow")["id"] == newest


def test_params_can_come_from_standard_input(workflows: Command) -> None:
    workflows("trigger", "flow", "-", "--id", "piped", text='{"do": "echo", "é": [1]}')

    assert workflows.until("piped", "complete")["output"] == {"do": "echo", "é": [1]}


def test_a_wrong_workflow_name_is_answered_with_the_nearest_one(workflows: Command) -> None:
    done = workflows("trigger", "flwo", code=1)

    assert done.err == 'error: There is no workflow "flwo". Did you mean "flow"?\n'


def test_a_used_id_and_a_status_that_forbids_it_are_refused_in_the_platforms_words(
    workflows: Command,
) -> None:
    workflows("trigger", "flow", "--id", "twice")
    workflows.until("twice", "complete")

    assert "instance.already_exists" in workflows("trigger", "flow", "--id", "twice", code=1).err
    done = workflows("instances", "terminate", "flow", "twice", code=1)
    assert "instance.cannot_terminate" in done.err


def test_wrong_json_is_shown_with_the_place_of_the_mistake(workflows: Command) -> None:
    done = workflows("trigger", "flow", '{"user": ada}', code=1)

    assert done.err.splitlines()[:3] == [
        "error: PARAMS is not JSON at line 1, column 10: Expecting value",
        '    {"user": ada}',
        "             ^",
    ]


def test_a_list_says_what_it_left_out(workflows: Command) -> None:
    workflows("trigger", "flow")

    assert (
        "is empty; the last page is" in workflows("instances", "list", "flow", "--page", "99").err
    )
    none = workflows("instances", "list", "flow", "--date-end", "2001-01-31")
    assert none.err == 'No instances of workflow "flow" match.\n'
    wrong = workflows("instances", "list", "flow", "--date-start", "soon", code=1)
    assert '--date-start is "soon"; expected an ISO 8601 date' in wrong.err


def test_another_server_can_be_asked_by_its_port(workflows: Command, tmp_path: Path) -> None:
    elsewhere = Command(tmp_path)
    record = json.loads((workflows.project / ".groundfog" / "dev.json").read_text())

    assert "│ flow " in elsewhere("list", "--port", str(record["port"]), "--local").out
    assert "does not answer" in elsewhere("list", "--port", "1", code=1).err


def test_ended_instances_are_pruned_and_others_stay(workflows: Command) -> None:
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "kept")
    workflows("trigger", "flow", '{"do": "fail"}', "--id", "pruned", "--wait", code=1)
    words = ("instances", "prune", "flow", "--status", "errored")

    assert "would be deleted" in workflows(*words, "--dry-run").err
    assert "0 instances deleted" in workflows(*words, "--older-than", "1 hour").err
    assert workflows.json(*words)["pruned"] >= 1
    assert "no instance" in workflows("instances", "describe", "flow", "pruned", code=1).err
    workflows("instances", "describe", "flow", "kept")
    assert '--older-than is "soon"' in workflows(*words, "--older-than", "soon", code=1).err
    assert 'Did you mean "flow"' in workflows("instances", "prune", "flo", code=1).err


def test_an_instance_is_forked_and_compared_with_its_fork(workflows: Command) -> None:
    workflows("trigger", "flow", "--id", "forked")
    workflows.until("forked", "complete")
    step = workflows.detail("forked")["steps"][0]["name"].removesuffix("-1")
    words = ("instances", "fork", "flow", "forked", "--from", step, "--id")

    assert workflows(*words, "same").out == "same\n"
    workflows(*words, "changed", "--output", '"other"', "--params", '{"new": 1}')

    workflows.until("same", "complete")
    workflows.until("changed", "complete")
    same = workflows("instances", "diff", "flow", "forked", "same")
    assert same.out == "Nothing is different.\n"
    changed = workflows("instances", "diff", "flow", "forked", "changed", code=1).out
    assert 'params.new\n  - "absent"\n  + 1' in changed
    assert f'step "{step}-1" output' in changed
    assert "not found" in workflows(*words[:4], "--from", "none", code=1).err
    assert "is not JSON" in workflows(*words, "third", "--params", "{", code=1).err


def test_the_size_of_the_history_is_told(workflows: Command) -> None:
    workflows("trigger", "flow", "--id", "measured")
    workflows.until("measured", "complete")

    assert "│ flow " in workflows("size").out
    sizes = workflows.json("size", "--largest", "1")
    assert sizes["file_bytes"] > 0 and len(sizes["largest_instances"]) == 1


def test_terminating_with_rollback_shows_what_was_undone(workflows: Command) -> None:
    workflows("trigger", "flow", '{"do": "book"}', "--id", "undone")
    workflows.until("undone", "waiting")

    words = ("instances", "terminate", "flow", "undone", "--rollback", "--wait")
    assert "↺ " in workflows(*words).err
    described = workflows("instances", "describe", "flow", "undone").out
    assert "Rollback   complete" in described and "✓ ↺ " in described


def test_a_wrong_step_is_answered_with_the_nearest_one(workflows: Command) -> None:
    workflows("trigger", "flow", "--id", "replayed")
    workflows.until("replayed", "complete")
    words = ("instances", "restart", "flow", "replayed", "--from-step-name")

    assert 'Did you mean "greet"?' in workflows(*words, "great", code=1).err
    assert "It has: greet." in workflows(*words, "somewhere else", code=1).err


def test_a_step_of_another_type_is_answered_with_what_that_name_is(workflows: Command) -> None:
    workflows("trigger", "flow", "--id", "typed")
    workflows.until("typed", "complete")
    words = ("instances", "restart", "flow", "typed", "--from-step-name", "greet")

    refused = workflows(*words, "--from-step-type", "sleep", code=1)

    assert (
        "not found in execution history with that type and count.\n  It has: do 1.\n" in refused.err
    )


def test_an_id_that_cannot_be_is_answered_with_what_one_may_be(workflows: Command) -> None:
    done = workflows("trigger", "flow", "--id", "a b", code=1)

    assert '"a b"\n  Expected 1 to 100 letters, digits' in done.err


def test_there_is_nothing_to_pause_once_an_instance_has_ended(workflows: Command) -> None:
    workflows("trigger", "flow", "--id", "over")
    workflows.until("over", "complete")

    done = workflows("instances", "pause", "flow", "over")
    assert done.err == "flow / over: has ended (complete); there is nothing to pause\n"
