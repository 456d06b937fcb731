"""Small worker projects on disk for the configuration tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from emulator.clock import VirtualClock
from emulator.config.load import load_config
from emulator.config.model import Config, Problem
from emulator.config.problems import InvalidConfig

HEAD = """\
name = "app"
main = "src/entry.py"
compatibility_date = "2025-01-01"
compatibility_flags = ["python_workers"]
"""


class Project:
    """A directory with `src/entry.py`; `clock` stands at 2026-01-01."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("src/entry.py", "")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def toml(self, text: str = "", head: str = HEAD) -> None:
        """Write wrangler.toml: `head` is lines 1 to 4, `text` starts on line 5."""
        self.write("wrangler.toml", head + text)

    def load(
        self,
        *,
        start: str = ".",
        config: str | None = None,
        env: str | None = None,
        cli_vars: Mapping[str, str] | None = None,
        env_files: Sequence[str] = (),
        process_env: Mapping[str, str] | None = None,
    ) -> Config:
        return load_config(
            self.directory / start if start != "." else self.directory,
            config_path=Path(config) if config is not None else None,
            environment=env,
            cli_vars=cli_vars or {},
            env_files=[Path(name) for name in env_files],
            process_env=process_env or {},
            clock=VirtualClock(),
        )

    def problems(self, **options: str) -> list[str]:
        """Load, which must fail, and return each problem as it is printed."""
        with pytest.raises(InvalidConfig) as caught:
            self.load(**options)  # type: ignore[arg-type]
        return [str(problem) for problem in caught.value.problems]

    def problem(self, **options: str) -> str:
        """Load, which must fail with one problem, and return it."""
        problems = self.problems(**options)
        assert len(problems) == 1, problems
        return problems[0]

    def warnings(self, **options: str) -> list[str]:
        return texts(self.load(**options).warnings)  # type: ignore[arg-type]


def texts(problems: Sequence[Problem]) -> list[str]:
    return [str(problem) for problem in problems]
