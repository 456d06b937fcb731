"""The state directory: its place, its lock, `dev.json`, and what a reset removes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.config.model import Config
from emulator.errors import StateError
from emulator.lock import Lock
from emulator.state import CONTENTS, State


def config(path: Path) -> Config:
    return Config(path, path.parent, "app", path.parent / "entry.py", "2026-01-01")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_state_lives_beside_the_configuration(tmp_path: Path) -> None:
    state = State.locate(config(tmp_path / "wrangler.toml"))

    assert state.directory == tmp_path / ".groundfog"


def test_persist_to_is_taken_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    state = State.locate(config(Path("/elsewhere/wrangler.toml")), Path("my-state"))

    assert state.directory == tmp_path / "my-state"


def test_locating_creates_nothing(tmp_path: Path) -> None:
    State.locate(config(tmp_path / "wrangler.toml"))

    assert list(tmp_path.iterdir()) == []


def test_a_prepared_directory_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    state = State(tmp_path / "a" / "state")
    state.prepare()
    state.prepare()

    assert mode(state.directory) == 0o700
    assert (state.directory / ".gitignore").read_text() == "*\n"


def test_a_place_where_no_directory_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match=r"file/state: the state directory cannot be created"):
        State(tmp_path / "file" / "state").prepare()


@pytest.mark.parametrize("name", [".gitignore", "clock.json.new", "dev.json.new", "lock"])
def test_nothing_is_written_through_a_link_in_the_state(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    state = State(tmp_path / "state")
    state.directory.mkdir()
    (state.directory / name).symlink_to(victim)

    try:
        with state.locked():
            state.write_clock({"now_ms": 5})
            state.announce("127.0.0.1", 1)
    except StateError as error:
        assert name == "lock" and "lock: cannot be locked (" in str(error)

    assert victim.read_text() == "precious"


def test_a_dangling_link_in_place_of_the_gitignore_creates_nothing(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.directory.mkdir()
    (state.directory / ".gitignore").symlink_to(tmp_path / "victim")

    state.prepare()

    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("exists", [True, False])
def test_state_that_belongs_to_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    state = State(tmp_path / "state")
    if exists:
        with state.locked():
            state.announce("127.0.0.1", 1)
    else:
        state.directory.mkdir(mode=0o777)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    for use in (state.locked().__enter__, state.running_server, state.prepare):
        with pytest.raises(StateError, match=r"belongs to user .*12345: .*\n.*chown -R 12345"):
            use()


def test_a_lock_that_belongs_to_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock(tmp_path / "lock", lambda: StateError("in use"))
    (tmp_path / "lock").touch(mode=0o666)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(StateError, match="lock belongs to user"):
        lock.take()


@pytest.mark.parametrize(("mode", "refused"), [(0o700, False), (0o777, True)])
def test_root_in_a_container_uses_only_the_private_state_of_a_users_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, refused: bool
) -> None:
    state = State(tmp_path / "state")
    state.directory.mkdir()
    state.directory.chmod(mode)
    if os.geteuid() == 0:
        for path in (tmp_path, state.directory):
            os.chown(path, 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with pytest.raises(StateError, match="belongs to user") if refused else nullcontext():
        state.prepare()


def test_a_lock_whose_file_was_removed_is_taken_again(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with state.locked() as lock:
        assert lock.is_in_place()
        (state.directory / "lock").unlink()
        assert not lock.is_in_place()

        lock.take()

        assert lock.is_in_place()
        with pytest.raises(StateError, match="in use"):
            with state.locked():
                raise AssertionError


def test_a_lock_that_another_process_has_taken_in_between_is_not_taken_again(
    tmp_path: Path,
) -> None:
    state = State(tmp_path / "state")
    with state.locked() as lock:
        (state.directory / "lock").unlink()
        with state.locked(), pytest.raises(StateError, match="in use"):
            lock.take()


def test_a_second_server_is_told_who_has_the_state(tmp_path: Path) -> None:
    state = State(tmp_path / "state")

    with state.locked():
        state.announce("127.0.0.1", 8787)
        with pytest.raises(StateError, match=rf"pid {os.getpid()}, http://127.0.0.1:8787"):
            with state.locked():
                raise AssertionError


def test_a_second_command_is_told_that_another_has_the_state(tmp_path: Path) -> None:
    state = State(tmp_path / "state")

    with state.locked():
        with pytest.raises(StateError, match="in use by another command"):
            with state.locked():
                raise AssertionError


def test_the_lock_ends_with_its_block(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with state.locked():
        pass

    with state.locked():
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from emulator.state import State\n"
        "with State(Path(sys.argv[1])).locked():\n"
        "    State(Path(sys.argv[1])).announce('127.0.0.1', 1)\n"
        "    print('locked', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert State(tmp_path).running_server() is not None
        process.kill()

    assert State(tmp_path).running_server() is None
    with State(tmp_path).locked():
        pass


def test_dev_json_says_where_the_server_is_and_only_to_its_user(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.locked():
        announced = state.announce("127.0.0.1", 8787)

        record = json.loads((tmp_path / "dev.json").read_text())
        assert record == {
            "pid": os.getpid(),
            "ip": "127.0.0.1",
            "port": 8787,
            "token": announced.token,
        }
        assert mode(tmp_path / "dev.json") == 0o600
        assert state.running_server() == announced


def test_every_server_has_a_token_of_its_own(tmp_path: Path) -> None:
    state = State(tmp_path)

    assert state.announce("127.0.0.1", 1).token != state.announce("127.0.0.1", 1).token


def test_an_ipv6_address_is_written_in_brackets(tmp_path: Path) -> None:
    assert State(tmp_path).announce("::1", 8787).url == "http://[::1]:8787"


def test_a_stale_dev_json_is_not_a_running_server(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.locked():
        state.announce("127.0.0.1", 8787)

    assert state.running_server() is None


def test_a_retracted_server_is_not_found(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.locked():
        state.announce("127.0.0.1", 8787)
        state.retract()
        state.retract()

        assert state.running_server() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', "\udcff"])
def test_a_damaged_dev_json_is_not_a_running_server(tmp_path: Path, text: str) -> None:
    state = State(tmp_path)
    with state.locked():
        (tmp_path / "dev.json").write_bytes(text.encode("utf-8", "surrogateescape"))

        assert state.running_server() is None


def test_a_state_that_was_never_used_has_no_running_server(tmp_path: Path) -> None:
    assert State(tmp_path / "nothing").running_server() is None


def test_a_reset_removes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.journal.write_text("")
    (tmp_path / "d1").mkdir()
    (tmp_path / "d1" / "db.sqlite").write_text("")
    (tmp_path / "notes.txt").write_text("mine")

    assert state.reset(["d1", "kv"]) == ["journal.sqlite", "d1"]
    assert {path.name for path in tmp_path.iterdir()}.isdisjoint({*CONTENTS, "d1"})
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_reset_of_nothing_creates_nothing(tmp_path: Path) -> None:
    assert State(tmp_path / "nothing").reset() == []
    assert list(tmp_path.iterdir()) == []


def test_a_state_in_use_is_not_reset(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.locked():
        state.journal.write_text("")
        with pytest.raises(StateError, match="in use"):
            state.reset()

    assert state.journal.exists()


def test_a_link_in_the_state_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("")
    state = State(tmp_path / "state")
    state.prepare()
    (state.directory / "d1").symlink_to(tmp_path / "precious")

    state.reset(["d1"])

    assert (tmp_path / "precious" / "file").exists()
    assert not (state.directory / "d1").is_symlink()


@pytest.mark.parametrize(
    ("identifier", "name"), [("brief-db", "brief-db.sqlite"), ("A_1", "A_1.sqlite")]
)
def test_a_harmless_id_names_its_file(tmp_path: Path, identifier: str, name: str) -> None:
    assert State(tmp_path).database("d1", identifier) == tmp_path / "d1" / name


@given(st.text(), st.text())
def test_no_id_leads_outside_and_no_two_ids_share_a_file(first: str, second: str) -> None:
    state = State(Path("/state"))
    path = state.database("d1", first)

    assert path.parent == Path("/state/d1")
    assert len(path.name) <= 120 and path.name.isascii()
    assert (path == state.database("d1", second)) == (first == second)


def test_what_is_kept_of_a_clock_is_read_back_and_reset(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert state.read_clock() == {}

    state.write_clock({"now_ms": 5})
    state.write_clock({"ahead_ms": -7})

    assert state.read_clock() == {"ahead_ms": -7}
    assert state.reset() == ["clock.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"now_ms": "soon"}'])
def test_a_damaged_record_of_the_clock_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock.json").write_text(text)

    with pytest.raises(StateError, match=r"clock\.json: .*Delete it to go on"):
        State(tmp_path).read_clock()
