"""The sample with the small bindings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.config.project import Project
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import eventually


def groundfog(project: Path, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [*words, "--cwd", str(project)])
    assert done.exit_code == code, done.output
    return done


def test_each_of_them_works(tmp_path: Path) -> None:
    project = tmp_path / "small"
    shutil.copytree(FIXTURES / "small", project)
    (project / "groundfog.toml").write_text('[clock]\nmode = "virtual"\n')
    with DevServer(project) as server:
        identity, tag, timestamp = server.get("/version").json()
        assert (len(identity), tag, timestamp[-1]) == (36, "", "Z")
        assert server.get("/version").json()[0] == identity
        assert [server.get("/limited").text for _ in range(3)] == ["ok", "ok", "slow down"]
        assert server.get("/secret").text == 'Secret "api-key" not found'
        create = ("secrets-store", "secret", "create", "store", "--name", "api-key")
        groundfog(project, *create, "--value", "hunter2")
        assert server.get("/secret").text == "hunter2"
        assert server.get("/").text == "None"
        shown = ("analytics", "points", "visits", "--json")
        (point,) = eventually(lambda: json.loads(groundfog(project, *shown).output))
        assert (point["index"], point["blobs"], point["doubles"]) == ("home", ["a visit"], [1.5])
        assert server.get("/visits").json() == [["home", 1]]
        api = "/client/v4/accounts/a/analytics_engine/sql"
        query = "SELECT sum(_sample_interval) AS n FROM visits FORMAT JSONEachRow"
        assert server.post(api, content=query).json() == {"n": "1"}
        assert server.get(api, params={"query": query}).json() == {"n": "1"}
        refused = server.post(api, content="SELECT 1 FROM nothing")
        told = "Input was invalid: unknown table nothing; nothing has been written to it yet\n"
        assert (refused.status_code, refused.text) == (422, told)
        assert "hunter2" not in server.output

    listed = groundfog(project, "secrets-store", "secret", "list", "store")
    assert "api-key" in listed.output and "hunter2" not in listed.output
    assert (
        json.loads(groundfog(project, "secrets-store", "secret", "list", "x", "--json").output)
        == []
    )
    groundfog(project, "secrets-store", "secret", "delete", "store", "--name", "api-key")
    gone = groundfog(project, "secrets-store", "secret", "delete", "store", "--name", "x", code=1)
    assert "has no secret x" in gone.output
    assert "home" in groundfog(project, "analytics", "points", "visits").output
    ask = ("analytics", "query", "SELECT blob1 FROM visits FORMAT TabSeparated")
    assert groundfog(project, *ask).output == "a visit\n"
    told = "The query cannot be run: unknown column x"
    assert told in groundfog(project, "analytics", "query", "SELECT x", code=1).output
    assert "No data point" in groundfog(project, "analytics", "points", "none").output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[ratelimits]]\nname = "A"\nnamespace_id = "1"\n', "ratelimits[0] has no simple"),
        (
            '[[ratelimits]]\nname = "A"\nnamespace_id = "1"\nsimple = { limit = 1, period = 5 }\n',
            "period is 5; expected 10 or 60",
        ),
        (
            '[[ratelimits]]\nname = "A"\nnamespace_id = "1"\nsimple = { period = 10 }\n',
            "simple has no limit",
        ),
        ('[[ratelimits]]\nname = "A"\nsimple = { limit = 1, period = 10 }\n', "no namespace_id"),
        ('[[secrets_store_secrets]]\nbinding = "A"\nstore_id = "1"\n', "has no secret_name"),
        ("[version_metadata]\n", "version_metadata has no binding"),
        ("[[analytics_engine_datasets]]\n", "has no binding"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, told: str) -> None:
    project = Project(tmp_path)
    project.toml(text)
    assert told in project.problem()
