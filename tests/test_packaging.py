"""What a user installs: the wheel, in an environment of its own, beside projects of any names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import httpx
import pytest

import groundfog
from emulator.cli.init import CHOICES
from tests.end_to_end.projects import WRANGLER, make_project
from tests.end_to_end.server import READY
from tests.waiting import DEADLINE_S

ROOT = Path(__file__).parents[1]
PLAIN = "\n".join(WRANGLER.split("\n")[:5])
WORKER = """
import bindings
import emulator
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"{emulator.MINE} {bindings.MINE}")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the files that git knows, as a release does."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    names = _run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            (source / name).symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    _run(*pip, "--no-index", "--wheel-dir", str(built), str(source), cwd=source)
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, by a path, what it depends on; no checkout of ours."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    packages = Path(_run(str(python), "-c", "import sysconfig as s; print(s.get_path('purelib'))"))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    _run(*pip, "--no-index", "--no-deps", str(wheel))
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_three_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    kinds = {Path(name).suffix for name in names if ".dist-info/" not in name}

    assert tops == {"bindings", "emulator", "groundfog"}
    assert "emulator/engine/journal/schema.sql" in names and "groundfog/py.typed" in names
    templates = {name.split("/")[2] for name in names if name.startswith("emulator/templates/")}
    assert templates == {"__init__.py", *CHOICES}
    for template in CHOICES:
        assert f"emulator/templates/{template}/.gitignore" in names
    assert kinds >= {".py", ".sql", ".typed"} and ".pyc" not in kinds


def test_the_page_on_a_package_index_has_no_link_that_leads_nowhere_there(wheel: Path) -> None:
    told = metadata(wheel)
    page = str(told.get_payload())
    links = re.findall(r"\]\(([^)]*)\)", page)

    assert [link for link in links if not link.startswith("https://")] == []
    assert told["Version"] == groundfog.__version__ and told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown" and "uv tool install" in page


@pytest.mark.parametrize("command", [("bin/groundfog",), ("bin/python", "-m", "groundfog")])
def test_a_project_with_our_names_runs_in_its_own_folder(
    environment: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    project = make_project(tmp_path / "p", WORKER, PLAIN)
    for folder in (project, project / "src"):
        (folder / "emulator.py").write_text("MINE = 'my emulator'\n")
        (folder / "bindings").mkdir()
        (folder / "bindings" / "__init__.py").write_text("MINE = 'my bindings'\n")
    (project / "click.py").write_text("raise SystemExit('not the click that was meant')\n")

    served = _served(environment, project, *command)

    assert served == "my emulator my bindings"


def test_a_path_that_leads_to_other_modules_of_our_names_leads_nobody_astray(
    environment: Path, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "p", "x = 1", PLAIN)
    (project / "emulator.py").write_text("raise SystemExit('not ours')\n")
    (project / "bindings.py").write_text("raise SystemExit('not ours')\n")

    groundfog = str(environment / "bin" / "groundfog")
    path = _run(groundfog, "state", "path", cwd=project, PYTHONPATH=str(project))

    assert path.strip() == str(project / ".groundfog")


def test_the_pip_of_an_older_python_comes_to_the_line_that_says_what_is_needed(
    wheel: Path,
) -> None:
    """It looks at requirements first. apsw has no release for Python 3.10 that is new enough."""
    requirements = metadata(wheel).get_all("Requires-Dist", [])

    (apsw,) = (text for text in requirements if text.startswith("apsw"))
    assert apsw.endswith('python_version >= "3.11"')


def test_an_older_python_says_at_once_what_is_needed() -> None:
    code = (
        "import sys, runpy; sys.version_info = (3, 10, 4, 'final', 0);"
        f"runpy.run_path({str(ROOT / 'groundfog' / '__main__.py')!r}, run_name='__main__')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Groundfog needs Python 3.11 or later")
    assert "Traceback" not in done.stderr


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    notes = _run(sys.executable, str(ROOT / "scripts" / "release-notes"))
    unknown = subprocess.run(
        [sys.executable, ROOT / "scripts" / "release-notes", "9.9.9"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "### Fixed" in notes and "## [" not in notes
    assert unknown.returncode == 1 and "no section [9.9.9]" in unknown.stderr


def _served(environment: Path, project: Path, *command: str) -> str:
    program = [str(environment / command[0]), *command[1:], "dev", "--port", "0"]
    with subprocess.Popen(
        program, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if found := READY.search(line):
                    return httpx.get(found[1], timeout=DEADLINE_S, trust_env=False).text
            raise AssertionError("".join(lines))
        finally:
            process.terminate()


def _run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
