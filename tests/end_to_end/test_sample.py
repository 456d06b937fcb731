"""The sample, as its README tells a newcomer to use it: every command, in order."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.pages import Reader, blocks
from tests.end_to_end.projects import FIXTURES, copy_sample
from tests.waiting import eventually

# What anyone would look for first in the skills found for a sample brief.
FITTING = {
    "ecommerce-replatform": {"ecommerce-platforms", "payments"},
    "mobile-banking-accessibility": {"accessibility", "ios-engineering"},
    "hospital-data-warehouse": {"data-warehousing", "healthcare-interoperability"},
    "brand-film": {"film-production", "post-production"},
    "museum-interactive": {"exhibition-learning", "interactive-installations"},
    "saas-security-audit": {"penetration-testing", "cloud-security"},
    "logistics-route-optimisation": {"route-optimisation"},
    "charity-fundraising-campaign": {"fundraising", "email-marketing"},
}

# Long enough for a save or a kill to fall into the sleep on a slow machine.
SLEEP_IN_TEST = "6 seconds"


def readme_blocks(sample: str = "brief-analysis") -> list[str]:
    text = (FIXTURES / sample / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with a `groundfog` command, first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "groundfog"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m groundfog "$@"\n')
    command.chmod(0o755)
    return folder


class Tour:
    """Runs the README's blocks in one folder; `groundfog dev` stays in the background."""

    def __init__(self, project: Path, commands: Path) -> None:
        self._project = project
        self._port = free_port()
        self._env = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}
        self.servers: list[subprocess.Popen[bytes]] = []

    def run(self, block: str) -> str:
        """Run one block as a person would paste it; return what it prints."""
        block = block.replace("8787", str(self._port)).replace("20 seconds", SLEEP_IN_TEST)
        if block.startswith("groundfog dev"):
            self._serve(block.replace("groundfog dev", f"exec groundfog dev --port {self._port}"))
            return ""
        result = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=self._project,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, f"{block}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def _serve(self, block: str) -> None:
        self.servers.append(
            subprocess.Popen(
                ["bash", "-c", block],
                cwd=self._project,
                env=self._env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

        def answers() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{self._port}/", trust_env=False).is_success
            except httpx.TransportError:
                return False

        eventually(answers)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README uses curl")
def test_the_tour_of_the_sample_tells_the_truth(tmp_path: Path) -> None:
    project = copy_sample(tmp_path)
    with closing(Reader(project, free_port())) as reader:
        for block in blocks(FIXTURES / "brief-analysis" / "README.md"):
            reader.carry_out(block)

    assert not list(project.glob("**/*.bak"))


def test_every_sample_brief_finds_skills_that_fit(tmp_path: Path, serve: Serve) -> None:
    server = serve(copy_sample(tmp_path))
    subprocess.run(
        [sys.executable, "-m", "groundfog", "d1", "migrations", "apply", "DB"],
        cwd=server.project,
        check=True,
        capture_output=True,
    )
    assert server.post("/seed").status_code == 200
    samples = [sample["sample"] for sample in server.get("/samples").json()]
    assert set(samples) == set(FITTING)
    for sample in samples:
        submitted = server.post("/briefs", json={"sample": sample, "userId": "u-ada"})
        assert submitted.is_success, submitted.text

    def found(sample: str) -> list[str]:
        project = server.get(f"/briefs/{sample}").json()["project"]
        return [skill["id"] for skill in (project["analysis"] or {"skills": []})["skills"]]

    for sample in samples:
        skills = eventually(partial(found, sample))
        assert FITTING[sample] <= set(skills), (sample, skills)
