"""Which changes of files are reported, on a real file system."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from watchfiles._rust_notify import WatchfilesRustInternalError

from emulator import watch
from emulator.code_version import fingerprint

DEADLINE_S = 20
Story = Callable[["Watching"], Awaitable[None]]


class Watching:
    """A running watch. `next` is the next burst; a probe file tells when all before was seen."""

    def __init__(self, root: Path, files: list[Path]) -> None:
        self.root = root
        self.files = files
        self.bursts: asyncio.Queue[frozenset[Path]] = asyncio.Queue()
        self.told: list[str] = []
        self.busy = asyncio.Event()  # cleared: the one who is told is still at work
        self.busy.set()

    async def run(self) -> None:
        async for burst in watch.changes(
            lambda: [self.root], lambda: self.files, tell=self.told.append
        ):
            self.bursts.put_nowait(burst)
            await self.busy.wait()

    async def next(self) -> frozenset[Path]:
        return await asyncio.wait_for(self.bursts.get(), DEADLINE_S)

    async def told_of(self, path: Path) -> set[Path]:
        """Wait until `path` is reported; return everything reported until then."""
        told: set[Path] = set()
        while path not in told:
            told |= await self.next()
        return told

    async def started(self) -> None:
        """Return once changes are seen."""
        probe = self.root / "probe.py"
        while self.bursts.empty():
            probe.write_text(probe.read_text() + "#\n" if probe.exists() else "#\n")
            for _ in range(10):
                await asyncio.sleep(0.01)
                if not self.bursts.empty():
                    break
        await self.quiet()

    async def quiet(self) -> None:
        """Return once what was written before has been reported."""
        mark = self.root / f"mark{id(object())}.py"
        mark.write_text("")
        await self.told_of(mark)


def watching(root: Path, story: Story, files: list[Path] | None = None) -> None:
    async def main() -> None:
        watched = Watching(root, files or [])
        task = asyncio.create_task(watched.run())
        try:
            await watched.started()
            await story(watched)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("entry.py", True),
        ("wrangler.toml", True),
        ("data.json", True),
        (".dev.vars", True),
        ("entry.pyc", False),
        ("entry.py~", False),
        (".entry.py.swp", False),
        (".#entry.py", False),
        ("#entry.py#", False),
        ("4913", False),
        ("entry.py.tmp", False),
        ("dev.log", False),
    ],
)
def test_what_editors_write_beside_a_file_does_not_matter(name: str, expected: bool) -> None:
    assert watch.matters(Path("src") / name) is expected


def test_a_file_that_our_own_output_goes_to_is_not_watched(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from emulator import watch\n"
        "scope = watch.Scope.of([Path()], [])\n"
        "print([scope.has(Path(name).resolve()) for name in ('out', 'kept')], flush=True)\n"
        "print([path.name for path in scope.snapshot()])\n"
    )
    (tmp_path / "kept").write_text("")
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=out, check=True)

    assert (tmp_path / "out").read_text().splitlines() == ["[False, True]", "['kept']"]


def test_folders_that_never_hold_code_are_left_out(tmp_path: Path) -> None:
    for name in ("src/deep", "node_modules/x", ".venv/lib", "src/__pycache__"):
        (tmp_path / name).mkdir(parents=True)

    found = {str(folder.relative_to(tmp_path)) for folder in watch.folders(tmp_path)}

    assert found == {".", "src", "src/deep"}


def test_a_saved_file_is_reported(tmp_path: Path) -> None:
    async def story(watched: Watching) -> None:
        file = tmp_path / "entry.py"
        file.write_text("1")

        assert file in await watched.told_of(file)

    watching(tmp_path, story)


def test_a_file_replaced_by_renaming_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "entry.py"
    file.write_text("1")

    async def story(watched: Watching) -> None:
        (tmp_path / "entry.py.tmp").write_text("2")
        (tmp_path / "entry.py.tmp").replace(file)

        assert tmp_path / "entry.py.tmp" not in await watched.told_of(file)

    watching(tmp_path, story)


def test_a_deleted_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    file.write_text("1")

    async def story(watched: Watching) -> None:
        file.unlink()

        await watched.told_of(file)

    watching(tmp_path, story)


def test_ignored_files_and_folders_are_not_reported(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()

    async def story(watched: Watching) -> None:
        (tmp_path / "entry.pyc").write_text("1")
        (tmp_path / "__pycache__" / "entry.py").write_text("1")
        file = tmp_path / "entry.py"
        file.write_text("1")

        assert {path.name for path in await watched.told_of(file)} <= {"entry.py", "probe.py"}

    watching(tmp_path, story)


def test_a_single_file_outside_the_roots_is_reported_and_its_neighbours_are_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "src").mkdir()
    config = tmp_path / "wrangler.toml"

    async def story(watched: Watching) -> None:
        (tmp_path / "README.md").write_text("1")
        config.write_text("1")

        assert tmp_path / "README.md" not in await watched.told_of(config)

    watching(tmp_path / "src", story, [config])


def test_a_file_in_a_folder_made_while_watching_is_reported(tmp_path: Path) -> None:
    async def story(watched: Watching) -> None:
        folder = tmp_path / "new"
        folder.mkdir()
        await watched.told_of(folder)
        await watched.quiet()
        (folder / "deep.py").write_text("1")

        await watched.told_of(folder / "deep.py")

    watching(tmp_path, story)


def test_a_save_while_the_watch_starts_is_reported(tmp_path: Path) -> None:
    async def main() -> frozenset[Path]:
        bursts = watch.changes(lambda: [tmp_path], lambda: [])
        first = asyncio.ensure_future(anext(aiter(bursts)))
        await asyncio.sleep(0)
        (tmp_path / "entry.py").write_text("1")
        burst = await asyncio.wait_for(first, DEADLINE_S)
        await bursts.aclose()  # type: ignore[attr-defined]
        return burst

    assert asyncio.run(main()) == {tmp_path / "entry.py"}


def test_a_save_during_a_reload_is_reported_after_it(tmp_path: Path) -> None:
    async def story(watched: Watching) -> None:
        watched.busy.clear()
        (tmp_path / "first.py").write_text("1")
        await watched.told_of(tmp_path / "first.py")
        (tmp_path / "second.py").write_text("1")
        watched.busy.set()

        await watched.told_of(tmp_path / "second.py")

    watching(tmp_path, story)


def test_a_save_in_a_new_folder_during_a_reload_is_reported_after_it(tmp_path: Path) -> None:
    async def story(watched: Watching) -> None:
        watched.busy.clear()
        folder = tmp_path / "new"
        folder.mkdir()
        await watched.told_of(folder)
        (folder / "deep.py").write_text("1")
        (tmp_path / "other.py").write_text("1")
        watched.busy.set()

        told = await watched.told_of(folder / "deep.py")
        assert tmp_path / "other.py" in told or await watched.told_of(tmp_path / "other.py")

    watching(tmp_path, story)


def test_a_file_that_comes_and_goes_within_a_burst_is_not_reported(tmp_path: Path) -> None:
    code = tmp_path / "entry.py"
    code.write_text("1")

    async def main() -> frozenset[Path]:
        stream = watch.changes(lambda: [tmp_path], lambda: [])
        burst = asyncio.ensure_future(anext(aiter(stream)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        aside = tmp_path / "sedQAatuG"
        aside.write_text("2")
        aside.replace(code)
        return await asyncio.wait_for(burst, 10)

    assert asyncio.run(main()) == {code}


def test_a_save_through_a_linked_folder_is_reported(tmp_path: Path) -> None:
    root, shared = tmp_path / "src", tmp_path / "shared"
    root.mkdir()
    shared.mkdir()
    (root / "shared").symlink_to(shared)
    (root / "loop").symlink_to(root)

    async def story(watched: Watching) -> None:
        (shared / "library.py").write_text("1")
        await watched.told_of(shared / "library.py")

    watching(root, story)


def test_a_save_of_what_a_linked_file_leads_to_is_reported(tmp_path: Path) -> None:
    root, real = tmp_path / "src", tmp_path / "elsewhere" / "entry.py"
    root.mkdir()
    real.parent.mkdir()
    real.write_text("1")
    (root / "entry.py").symlink_to(real)

    async def story(watched: Watching) -> None:
        real.write_text("22")
        await watched.told_of(real)

    watching(root, story)


@pytest.fixture(params=[OSError, WatchfilesRustInternalError])
def refused(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[int]:
    """Let the system watch nothing, as when its inotify instances are used up; count the tries."""
    tries: list[int] = []

    def refuse(*paths: object, **options: object) -> object:
        tries.append(1)
        raise request.param("Too many open files (os error 24)")

    monkeypatch.setattr("watchfiles.awatch", refuse)
    return tries


def test_where_the_system_does_not_watch_files_are_looked_at(
    tmp_path: Path, refused: list[int]
) -> None:
    async def story(seen: Watching) -> None:
        await seen.started()
        (tmp_path / "entry.py").write_text("1")
        assert tmp_path / "entry.py" in await seen.told_of(tmp_path / "entry.py")
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "part.py").write_text("1")
        await seen.quiet()
        (tmp_path / "new" / "part.py").write_text("22")
        await seen.told_of(tmp_path / "new" / "part.py")

        (told,) = set(seen.told)
        assert "Too many open files" in told and "fs.inotify.max_user_instances" in told

    watching(tmp_path, story)


def test_watching_is_tried_again_after_a_while(
    tmp_path: Path, refused: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "WATCH_AGAIN_S", 0.01)
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.01)

    async def story(seen: Watching) -> None:
        await seen.started()
        while len(refused) < 3:
            await asyncio.sleep(0.01)
        monkeypatch.undo()
        for _ in range(2):
            await seen.quiet()

        assert len(set(seen.told)) == 1

    watching(tmp_path, story)


def test_files_are_not_gone_when_no_descriptor_is_left_to_see_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry.py").write_text("1")
    scope = watch.Scope.of([tmp_path], [])
    before = scope.snapshot()

    def refuse(path: object) -> object:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(OSError, match="Too many open files"):
        watch.folders(tmp_path)
    with pytest.raises(OSError, match="Too many open files"):
        fingerprint(tmp_path, tmp_path / "python_modules")
    assert watch.look(scope, before) == before
