"""Tests of one TypeScript worker, side by side: `python -m benchmarks.testing_peers FOLDER`.

FOLDER has the peers: `npm install --prefix FOLDER wrangler vitest @cloudflare/vitest-plugin`. Each
test posts one request that writes a row into D1, reads it back, and leaves fresh state to the next
one. All run one after the other on the same machine; a busy one slows all of them down.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from groundfog.testing import Groundfog

TESTS = 20
PACKAGES = "node_modules"
CONFIG = """
name = "peer"
main = "src/index.ts"
compatibility_date = "2026-06-01"
[[d1_databases]]
binding = "DB"
database_name = "orders"
database_id = "00000000-0000-0000-0000-000000000000"
"""
WORKER = """
export default {
  async fetch(request: Request, env: any) {
    await env.DB.exec("CREATE TABLE IF NOT EXISTS orders (id TEXT)");
    if (request.method === "POST") await env.DB.prepare("INSERT INTO orders VALUES ('a')").run();
    return Response.json((await env.DB.prepare("SELECT id FROM orders").all()).results);
  },
};
"""
VITEST_CONFIG = """
import { defineConfig } from "vitest/config";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
export default defineConfig({
  plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
});
"""
VITEST = """
import { exports } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
afterEach(async () => { await reset(); });
for (let i = 0; i < TESTS; i++) it(`test ${i}`, async () => {
  const response = await exports.default.fetch("http://localhost/", { method: "POST" });
  expect(await response.json()).toEqual([{ id: "a" }]);
});
"""
HARNESS = """
import { createTestHarness } from "wrangler";
const server = createTestHarness({ workers: [{ configPath: "./wrangler.toml" }] });
await server.listen();
const spans = [];
for (let i = 0; i < TESTS; i++) {
  const start = performance.now();
  const rows = await (await server.fetch("/", { method: "POST" })).json();
  if (rows.length !== 1) throw new Error(JSON.stringify(rows));
  await server.reset();
  spans.push(performance.now() - start);
}
console.log("\\n" + JSON.stringify(spans));
await server.close();
"""


def main() -> None:
    """Measure and print."""
    peers = Path(sys.argv[1]).resolve()
    tests = int(sys.argv[2]) if len(sys.argv) > 2 else TESTS
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        _write(project, peers, tests)
        _row("groundfog, TypeScript", *_groundfog(project, tests))
        _row("createTestHarness (wrangler)", *_harness(project))
        _row("@cloudflare/vitest-plugin", *_vitest(project))


def _write(project: Path, peers: Path, tests: int) -> None:
    (project / PACKAGES).symlink_to(peers / PACKAGES)
    files = {
        "wrangler.toml": CONFIG,
        "src/index.ts": WORKER,
        "vitest.config.mts": VITEST_CONFIG,
        "test/all.test.ts": VITEST,
        "harness.mjs": HARNESS,
    }
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("TESTS", str(tests)))


def _groundfog(project: Path, tests: int) -> tuple[float, list[float]]:
    began = time.perf_counter()
    spans = []
    with Groundfog() as groundfog:
        for _ in range(tests):
            start = time.perf_counter()
            with groundfog.worker(project) as worker:
                assert worker.post("/").json() == [{"id": "a"}]
            spans.append((time.perf_counter() - start) * 1000)
    return (time.perf_counter() - began) * 1000, spans


def _harness(project: Path) -> tuple[float, list[float]]:
    began = time.perf_counter()
    spans = json.loads(_run(project, "node", "harness.mjs").splitlines()[-1])
    return (time.perf_counter() - began) * 1000, spans


def _vitest(project: Path) -> tuple[float, list[float]]:
    began = time.perf_counter()
    _run(
        project,
        *(f"{PACKAGES}/.bin/vitest", "run", "--reporter=json", "--outputFile=report.json"),
    )
    spent = (time.perf_counter() - began) * 1000
    report = json.loads((project / "report.json").read_text())
    results = report["testResults"][0]["assertionResults"]
    return spent, [each["duration"] for each in results]


def _run(project: Path, *command: str) -> str:
    told = {"CI": "1", "CLOUDFLARE_CF_FETCH_ENABLED": "false", "WRANGLER_SEND_METRICS": "false"}
    done = subprocess.run(
        command, cwd=project, env={**os.environ, **told}, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _row(name: str, whole_ms: float, spans_ms: list[float]) -> None:
    further = statistics.median(spans_ms[1:])
    print(
        f"{name:<32}whole run {whole_ms:8.0f} ms, first test {spans_ms[0]:6.0f} ms,"
        f" each further {further:6.0f} ms"
    )


if __name__ == "__main__":
    main()
