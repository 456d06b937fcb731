"""The workflow commands when no server runs: they read and write the journal themselves."""

from __future__ import annotations

from emulator.state import State
from tests.cli.workflows.command import Command
from tests.end_to_end.server import DevServer


def test_nothing_is_made_by_looking(offline: Command) -> None:
    assert "│ flow │ none" in offline("list").out
    assert "There are no instances" in offline("instances", "list", "flow").err
    assert "There are no instances" in offline("instances", "describe", "flow", code=1).err
    assert "0 B" in offline("size").out
    assert "0 instances would be" in offline("instances", "prune", "--dry-run").err
    assert not (offline.project / ".groundfog").exists()


def test_check_says_so_when_there_is_nothing_to_check(offline: Command) -> None:
    told = "Nothing to check: no instance that has not ended; --all checks the others, too"
    assert told in offline("check").out
    assert "Nothing to check: no instance." in offline("check", "--all").out
    assert offline.json("check") == []


def test_wranglers_global_options_are_taken(offline: Command) -> None:
    (offline.project / "other.env").write_text("SECRET=x")

    assert "flow" in offline("list", "--profile", "work", "--env-file", "other.env").out
    missing = offline("list", "--env-file", "missing.env", code=1)
    assert "missing.env: no such file; it was named with --env-file" in missing.err


def test_what_is_changed_takes_effect_at_the_next_start(offline: Command) -> None:
    """Trigger three, pause one and send an event to another; then start the server."""
    for instance in ("plain", "paused", "answered"):
        assert "next `groundfog dev`" in (
            offline("trigger", "flow", '{"do": "wait"}', "--id", instance).err
        )
    offline("instances", "pause", "flow", "paused")
    event = ("send-event", "flow", "answered", "--type", "answered", "--payload", "[1]")
    offline("instances", *event)
    assert offline.detail("answered")["status"] == "queued"

    with DevServer(offline.project):
        assert offline.until("answered", "complete")["output"] == [1]
        assert offline.until("plain", "waiting")["trigger"] == {"source": "api"}
        assert offline.detail("paused")["status"] == "paused"

    offline("instances", "terminate", "flow", "plain")
    assert "■ terminated" in offline("instances", "describe", "flow", "plain").out
    offline("instances", "delete", "flow", "plain", "paused")
    assert [entry["id"] for entry in offline.json("instances", "list", "flow")] == ["answered"]
    offline("delete", "flow")
    assert offline.json("instances", "list", "flow") == []


def test_looking_leaves_the_journal_as_it_is_and_needs_no_lock(offline: Command) -> None:
    offline("trigger", "flow", "--id", "seen")
    state = offline.project / ".groundfog"
    before = {path.name: path.read_bytes() for path in state.iterdir()}

    with State(state).locked():
        assert offline.detail("seen")["status"] == "queued"
        assert "in use by" in offline("instances", "delete", "flow", "seen", code=1).err

    assert {path.name: path.read_bytes() for path in state.iterdir()} == before
