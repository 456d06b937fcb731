"""Bringing user code up: names, paths, errors, reloads."""

from __future__ import annotations

import asyncio
import os
import py_compile
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import GuestError
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.requests import LoadError
from tests.runner.forks import GUEST_PYTHON
from tests.runner.running import Running, run, write
from tests.runner.test_requests import until

HELLO = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")
"""


def _load_error(project: Path, **options: Any) -> LoadError:
    caught: list[LoadError] = []

    async def scenario(it: Running) -> None:
        with pytest.raises(LoadError) as raised:
            await it.load()
        caught.append(raised.value)

    run(project, scenario, **options)
    return caught[0]


def test_a_save_that_is_not_python_during_the_import_does_not_end_the_guest(
    tmp_path: Path,
) -> None:
    saved = "from pathlib import Path\nPath(__file__).write_text('this is no Python')\n"
    write(tmp_path, {"src/entry.py": f"{HELLO}\n{saved}"})

    async def scenario(it: Running) -> None:
        guest = await it.load()
        assert guest.loaded.entrypoints["Default"].startswith("src/entry.py")

    run(tmp_path, scenario)


def test_the_guest_reports_what_the_code_exports_and_where(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": HELLO + "\nfrom flows import Order\n\nclass Helper:\n    pass\n",
            "src/flows.py": """
                from workers import WorkflowEntrypoint

                class Order(WorkflowEntrypoint):
                    pass
                """,
        },
    )

    async def scenario(it: Running) -> None:
        loaded = (await it.load()).loaded
        assert loaded.entrypoints == {"Default": "src/entry.py:4"}
        assert loaded.workflows == {"Order": "src/flows.py:4"}
        assert loaded.classes == {"Helper": "src/entry.py:10"}

    run(tmp_path, scenario)


def test_the_names_emulator_and_bindings_belong_to_the_project(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/emulator.py": "WHOSE = 'the user'",
            "src/bindings.py": "WHOSE = 'the user'",
            "src/entry.py": """
                import bindings, emulator
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self, request):
                        return Response(f"{emulator.WHOSE}, {bindings.WHOSE}")
                """,
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"the user, the user"

    run(tmp_path, scenario)


def test_without_such_modules_the_names_do_not_exist_in_a_guest(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": "import emulator"})

    error = _load_error(tmp_path)

    assert error.name == "ModuleNotFoundError"


def test_a_module_named_like_one_of_the_standard_library_is_the_users(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/traceback.py": "MINE = 'mine'",
            "src/entry.py": """
                import traceback
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self, request):
                        return Response(traceback.MINE)
                """,
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"mine"

    run(tmp_path, scenario)


def test_packages_in_python_modules_can_be_imported_but_not_shadow_workers(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "python_modules/workers/__init__.py": "raise RuntimeError('not ours')",
            "python_modules/shop/__init__.py": "NAME = 'shop'",
            "src/entry.py": """
                import shop
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self, request):
                        return Response(shop.NAME)
                """,
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"shop"

    run(tmp_path, scenario)


def test_packages_for_webassembly_give_way_to_native_ones(tmp_path: Path) -> None:
    """`colorsys` stands for a package that is installed natively too."""
    write(
        tmp_path,
        {
            "python_modules/colorsys/__init__.py": "raise ImportError('for Pyodide')",
            "python_modules/colorsys-1.dist-info/WHEEL": "Tag: cp313-cp313-pyodide_2025_0_wasm32",
            "python_modules/colorsys-1.dist-info/RECORD": "colorsys/__init__.py,,\n",
            "python_modules/pure/__init__.py": "",
            "src/entry.py": """
                import colorsys, pure
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self, request):
                        return Response(str(hasattr(colorsys, "rgb_to_hls")))
                """,
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"True"

    run(tmp_path, scenario)


def test_a_package_that_is_missing_says_where_to_install_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "python_modules/fastmath/__init__.py": "",
            "python_modules/fastmath-1.dist-info/WHEEL": "Tag: cp313-cp313-emscripten_4_0_9_wasm32",
            "python_modules/fastmath-1.dist-info/RECORD": "fastmath/__init__.py,,\n",
            "src/entry.py": "import fastmath.linear",
        },
    )

    error = _load_error(tmp_path)

    assert "python_modules/ has fastmath for WebAssembly only." in error.traceback
    assert f"The worker runs in {sys.executable}, which lacks 'fastmath'." in error.traceback
    assert "-m pip install fastmath" in error.traceback


@pytest.mark.parametrize(
    ("declared", "advice"),
    [
        ('dependencies = ["Fast_Math>=1"]', "pyproject.toml names it: run `groundfog sync`."),
        ('dependencies = ["other"]', "Add the package that has 'fast_math' to the dependencies in"),
        ("= broken", "Add the package that has 'fast_math' to the dependencies in"),
    ],
)
def test_a_package_that_is_missing_is_a_matter_of_pyproject(
    tmp_path: Path, declared: str, advice: str
) -> None:
    write(tmp_path, {"pyproject.toml": f"[project]\n{declared}"})
    write(tmp_path, {"src/entry.py": "import fast_math"})
    assert advice in _load_error(tmp_path).traceback


def test_a_save_within_the_same_second_and_of_the_same_size_is_seen(tmp_path: Path) -> None:
    source = """
        from workers import Response, WorkerEntrypoint
        from version import VERSION

        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                return Response(VERSION)
        """
    write(tmp_path, {"src/entry.py": source, "src/version.py": "VERSION = 'a'"})
    version = tmp_path / "src" / "version.py"
    os.utime(version, (1_000_000_000, 1_000_000_000))
    py_compile.compile(str(version))  # as any other Python program would have left it

    async def scenario(it: Running) -> None:
        write(tmp_path, {"src/version.py": "VERSION = 'b'"})
        os.utime(version, (1_000_000_000, 1_000_000_000))
        await it.load()
        assert await it.get() == b"b"

    run(tmp_path, scenario)


def test_no_bytecode_is_written_into_the_project(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": HELLO + "import helper\n", "src/helper.py": ""})

    async def scenario(it: Running) -> None:
        await it.load()

    run(tmp_path, scenario)
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_syntax_error_is_reported_as_python_shows_it(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": "x = 1\ndef broken(:\n"})

    error = _load_error(tmp_path)

    assert (error.name, error.file, error.line) == ("SyntaxError", "src/entry.py", 2)
    assert error.traceback.startswith(f'  File "{tmp_path}/src/entry.py", line 2\n')
    assert "    def broken(:\n               ^\n" in error.traceback


def test_an_error_at_import_shows_the_users_frames_and_no_others(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"src/entry.py": "import helper\n", "src/helper.py": "def f():\n    1 / 0\n\nf()\n"},
    )

    error = _load_error(tmp_path)

    assert (error.file, error.line) == ("src/helper.py", 2)
    assert error.traceback.count("  File ") == 3
    assert "emulator/guest" not in error.traceback
    assert "importlib" not in error.traceback
    assert error.traceback.endswith("ZeroDivisionError: division by zero\n")


def test_importing_through_the_src_folder_gets_a_note(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": "import src.helper\n", "src/helper.py": ""})

    error = _load_error(tmp_path)

    assert "statement shouldn't include a 'src.' prefix" in error.traceback


def test_sys_exit_at_import_is_a_load_error(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": "import sys\nsys.exit('configure me')\n"})

    error = _load_error(tmp_path)

    assert str(error) == "SystemExit: configure me"


def test_a_missing_main_module_is_a_load_error(tmp_path: Path) -> None:
    write(tmp_path, {"src/other.py": ""})

    assert _load_error(tmp_path).name == "FileNotFoundError"


def test_an_import_that_kills_the_guest_is_a_load_error(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"src/entry.py": "import os, sys\nprint('last words', file=sys.stderr)\nos._exit(3)\n"},
    )

    error = _load_error(tmp_path)

    assert "exited with status 3 while importing src/entry.py" in str(error)
    assert error.traceback == "last words"


def test_an_import_that_hangs_is_a_load_error_with_the_stack(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": "def forever():\n    while True: pass\n\nforever()\n"})

    error = _load_error(tmp_path, load_timeout_ms=500)

    assert "src/entry.py was still being imported after 0.5 s" in str(error)
    assert "in forever" in error.traceback


def test_a_binding_call_at_import_is_refused_as_in_production(tmp_path: Path) -> None:
    source = "from workers import env, wait_until\nwait_until(None)\n"
    write(tmp_path, {"src/entry.py": source})

    error = _load_error(tmp_path)

    assert "Disallowed operation called within global scope" in str(error)


def test_an_interpreter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        await it.load()

    with pytest.raises(GuestError, match=r"no-such-python could not be started.*--python"):
        run(tmp_path, scenario, source=Forkserver(tmp_path / "no-such-python"))


def test_a_missing_interpreter_is_quoted(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho I am no Python >&2\nexit 7\n")
    fake.chmod(0o755)

    async def scenario(it: Running) -> None:
        await it.load()

    with pytest.raises(GuestError, match=r"ended with status 7\. It said:\nI am no Python"):
        run(tmp_path, scenario, source=Forkserver(fake))


def test_a_project_whose_folder_is_gone_is_a_load_error(tmp_path: Path) -> None:
    project = tmp_path / "p"
    write(project, {"src/entry.py": HELLO})
    shutil.rmtree(project)

    error = _load_error(project)

    assert error.name == "FileNotFoundError"
    assert error.traceback == error.message
    assert error.message.startswith(
        f"{project}: the project's folder cannot be entered (No such file or directory)."
    )


def test_a_kill_during_the_import_is_not_the_fault_of_the_code(tmp_path: Path) -> None:
    killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"  # as from outside
    write(tmp_path, {"src/entry.py": killed + HELLO})

    async def scenario(it: Running) -> None:
        with pytest.raises(GuestError, match="signal 9 while importing src/entry.py"):
            await it.load()

    run(tmp_path, scenario)


def test_a_forkserver_that_died_is_replaced_at_the_next_load(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": HELLO})
    forkserver = Forkserver(Path(GUEST_PYTHON))

    async def scenario(it: Running) -> None:
        guest = await it.load()
        assert forkserver.pid is not None
        os.kill(forkserver.pid, signal.SIGKILL)
        assert "forkserver" in await guest.lost

        await it.load()

        assert await it.get() == b"hello"

    run(tmp_path, scenario, source=forkserver)


def test_a_load_that_is_given_up_leaves_no_guest_and_confuses_no_other(tmp_path: Path) -> None:
    write(tmp_path, {"src/entry.py": HELLO})
    forkserver = Forkserver(Path(GUEST_PYTHON))

    async def scenario(it: Running) -> None:
        given_up = [asyncio.ensure_future(it.load()) for _ in range(3)]
        for _ in range(3):
            await asyncio.sleep(0)  # the forks are asked for, and not answered
        for load in given_up:
            load.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)

        guest = await it.load()

        assert await it.get() == b"hello"
        await until(lambda: forkserver.guest_pids == [guest.pid], "the end of the others")

    run(tmp_path, scenario, source=forkserver)


def test_a_process_that_the_system_has_no_room_for_is_told_and_can_be_tried_again(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"src/entry.py": HELLO})
    # The forkserver of this test cannot fork as long as a file is there.
    (tmp_path / "full").write_text("")
    interpreter = tmp_path / "python"
    interpreter.write_text(NO_ROOM.format(python=sys.executable, full=str(tmp_path / "full")))
    interpreter.chmod(0o755)
    forkserver = Forkserver(interpreter)

    async def scenario(it: Running) -> None:
        with pytest.raises(GuestError, match=r"no further process \(Resource temporarily"):
            await it.load()
        pid = forkserver.pid
        (tmp_path / "full").unlink()

        await it.load()

        assert await it.get() == b"hello"
        assert forkserver.pid == pid

    run(tmp_path, scenario, source=forkserver)


NO_ROOM = """#!{python}
import errno, os, runpy, sys

fork = os.fork


def refuse():
    if os.path.exists({full!r}):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    return fork()


os.fork = refuse
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
