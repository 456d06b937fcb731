"""Rate limits, data points, secrets and version metadata of a TypeScript worker."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from emulator.cli.main import cli
from tests.typescript.projects import dev, project
from tests.waiting import eventually

INDEX = """
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    try {
      if (pathname === "/limit") {
        return Response.json(await env.LIMITER.limit(JSON.parse(searchParams.get("options")!)));
      }
      if (pathname === "/visits") {
        const from = "FROM events.analyticsEngine.visits WHERE timestamp > $since";
        const query = `SELECT blob1 AS page ${from}`;
        return Response.json(await env.ANALYTICS.query({ query, params: { since: 0 } }));
      }
      if (pathname === "/secret") return new Response(await env.KEY.get());
      if (pathname === "/version") return Response.json(Object.keys(env.VERSION).sort());
      const indexes = searchParams.getAll("index");
      const blobs = ["home", new TextEncoder().encode("bytes"), null];
      return new Response(String(env.METRICS.writeDataPoint({ blobs, doubles: [1.5], indexes })));
    } catch (error: any) {
      return new Response(`${error.name}: ${error.message}`);
    }
  },
};
"""
MORE = """
[version_metadata]
binding = "VERSION"

[[ratelimits]]
name = "LIMITER"
namespace_id = "1"
simple = { limit = 2, period = 60 }

[[analytics_engine_datasets]]
binding = "METRICS"
dataset = "visits"

[analytics]
binding = "ANALYTICS"

[[secrets_store_secrets]]
binding = "KEY"
store_id = "store"
secret_name = "api-key"
"""


def groundfog(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, [*words, "--cwd", str(folder)])
    assert done.exit_code == 0, done.output
    return done.output


def test_each_of_them_works(tmp_path: Path) -> None:
    folder = project(tmp_path / "worker", INDEX, MORE)
    (folder / "groundfog.toml").write_text('[clock]\nmode = "virtual"\n')
    create = ("secrets-store", "secret", "create", "store", "--name", "api-key")
    with dev(folder) as server:

        def limit(options: str) -> str:
            return server.get("/limit", params={"options": options}).text

        assert [json.loads(limit('{"key": "a"}'))["success"] for _ in range(3)] == [
            True,
            True,
            False,
        ]
        assert limit("null") == "Error: invalid rate limit options"
        assert limit('{"delta": 0}') == "RangeError: delta must be non-zero"
        assert server.get("/version").json() == ["id", "tag", "timestamp"]
        assert server.get("/secret").text == 'Error: Secret "api-key" not found'
        groundfog(folder, *create, "--value", "hunter2")
        assert server.get("/secret").text == "hunter2"

        assert server.get("/?index=a").text == "undefined"
        shown = ("analytics", "points", "visits", "--json")
        (point,) = eventually(lambda: json.loads(groundfog(folder, *shown)))
        assert server.get("/visits").json()["data"] == [{"page": "home"}]
        assert (point["index"], point["blobs"]) == ("a", ["home", "bytes", ""])
        assert server.get("/?index=a&index=b").text == "undefined"
        server.wait_for(r"TypeError: writeDataPoint\(\): Maximum of 1 indexes supported\.")
