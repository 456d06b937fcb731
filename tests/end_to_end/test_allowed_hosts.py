"""Names that a server is told to answer to."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli.main import cli
from tests.end_to_end.projects import WRANGLER, make_project

PLAIN = "\n".join(WRANGLER.split("\n")[:5])


@pytest.mark.parametrize("host", ["*", ".example.com", "example.com:80"])
def test_an_allowed_host_that_can_never_match_ends_the_start_with_the_reason(
    tmp_path: Path, host: str
) -> None:
    project = make_project(tmp_path / "p", "x = 1", PLAIN)

    done = CliRunner().invoke(cli, ["dev", str(project), "--port", "0", "--allowed-host", host])

    assert done.exit_code == 1
    assert f'error: --allowed-host is "{host}"' in done.stderr
    assert not (project / ".groundfog" / "dev.json").exists()
