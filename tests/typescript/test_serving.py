"""A TypeScript worker that answers requests: its env, its errors, its reloads, its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, is_alive, project, workerds
from tests.waiting import eventually

INDEX = """
import { answer } from "./answer";

export default {
  async fetch(request: Request, env: any, ctx: any): Promise<Response> {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/env":
        return Response.json({ place: env.PLACE, numbers: env.NUMBERS, secret: env.SECRET,
          names: Object.keys(env).sort() });
      case "/cf":
        return Response.json(request.cf);
      case "/d1": {
        await env.DB.exec("CREATE TABLE IF NOT EXISTS seen (n INTEGER, blob BLOB)");
        await env.DB.prepare("INSERT INTO seen VALUES (?, ?)")
          .bind(1, new Uint8Array([1, 2]).buffer).run();
        return Response.json((await env.DB.prepare("SELECT * FROM seen").all()).results);
      }
      case "/search": {
        const found = await env.AI.run("@cf/baai/bge-base-en-v1.5", { text: ["a hotel"] });
        await env.INDEX.upsert([{ id: "hotel", values: found.data[0] }]);
        return Response.json(await env.INDEX.query(found.data[0], { topK: 1 }));
      }
      case "/stream": {
        const answered = await env.AI.run("@cf/meta/llama-3.1-8b-instruct",
          { prompt: "hello", stream: true });
        return new Response(answered, { headers: { "content-type": "text/event-stream" } });
      }
      case "/fail":
        return answer(-1);
      case "/rejected":
        ctx.waitUntil(Promise.reject(new Error("too late")));
        return new Response("ok");
      case "/unhandled":
        Promise.reject(new Error("nobody handles it"));
        setTimeout(() => { throw new Error("in a timer") }, 1);
        await scheduler.wait(20);
        return new Response("ok");
      case "/loop":
        while (true) {}
      case "/echo":
        return new Response(request.body);
      case "/kv":
        await env.KV.put("a/b", "value", { metadata: { n: 1 } });
        return Response.json(await env.KV.getWithMetadata("a/b"));
      case "/refused":
        return env.KV.put("a", "b", { expirationTtl: 5 })
          .catch((error: any) => new Response(error.message));
      case "/absent":
        return Response.json(await env.BROWSER.fetch("http://x"));
      case "/socket": {
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        server.addEventListener("message", (event) => server.send(`echo ${event.data}`));
        return new Response(null, { status: 101, webSocket: client });
      }
    }
    console.log("asked for", url.pathname);
    return new Response(`${answer(1)} ${url.pathname}`);
  },
};
"""
ANSWER = """
// How the worker answers.
export function answer(n: number): any {
  if (n < 0) {
    throw new RangeError(`no answer to ${n}`);
  }
  return "first";
}
"""
MORE = """
[vars]
PLACE = "Paris \\"and\\" \\u00e9"
NUMBERS = [1, 2]

[[vectorize]]
binding = "INDEX"
index_name = "docs"

[ai]
binding = "AI"

[[kv_namespaces]]
binding = "KV"
id = "x"

[browser]
binding = "BROWSER"
"""


def written(folder: Path) -> Path:
    made = project(folder, INDEX, MORE, answer=ANSWER)
    (made / ".dev.vars").write_text('SECRET="s3"\n')
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with dev(written(tmp_path_factory.mktemp("typescript"))) as running:
        yield running


def test_env_has_vars_secrets_and_bindings_and_nothing_of_ours(server: DevServer) -> None:
    found = server.get("/env").json()

    assert (found["place"], found["numbers"], found["secret"]) == ('Paris "and" é', [1, 2], "s3")
    assert found["names"] == ["AI", "BROWSER", "DB", "INDEX", "KV", "NUMBERS", "PLACE", "SECRET"]


def test_request_cf_has_its_fixed_values(server: DevServer) -> None:
    assert server.get("/cf").json()["colo"] == "DFW"


def test_d1_kv_vectorize_and_workers_ai_answer_through_workerds_own_clients(
    server: DevServer,
) -> None:
    assert server.get("/d1").json() == [{"n": 1, "blob": [1, 2]}]
    found = server.get("/kv").json()
    assert (found["value"], found["metadata"]) == ("value", {"n": 1})
    assert server.get("/refused").text == (
        "KV PUT failed: 400 Invalid expiration_ttl of 5. Expiration TTL must be at least 60."
    )
    assert server.get("/search").json()["matches"][0]["id"] == "hotel"
    assert server.get("/stream").text.rstrip().endswith("data: [DONE]")


def test_a_binding_that_is_not_emulated_says_so_when_it_is_used(server: DevServer) -> None:
    answered = server.get("/absent")

    assert answered.status_code == 500
    assert "env.BROWSER is a binding of kind browser" in answered.text


def test_an_error_is_shown_with_places_in_the_users_files(server: DevServer) -> None:
    answered = server.get("/fail")

    assert answered.status_code == 500
    assert "RangeError: no answer to -1\n    at answer (src/answer.ts:5:11)" in answered.text
    assert "src/index.ts:30:16" in answered.text and "entry" not in answered.text
    asked = {"accept": "text/html", "x-shop": "lamps", "authorization": "secret"}
    page = server.get("/fail?a=1", headers=asked).text
    assert "<h1>RangeError: no answer to -1</h1>" in page
    assert "GET /fail?a=1" in page and "x-shop: lamps" in page and "secret" not in page
    server.wait_for(r"error: RangeError: no answer to -1\n    at answer \(src/answer.ts:5:11\)")


def test_a_rejected_promise_of_wait_until_is_shown(server: DevServer) -> None:
    assert server.get("/rejected").text == "ok"
    server.wait_for(r"Error: too late\n    at Object.fetch \(src/index.ts:32:")


def test_what_nobody_handles_is_shown_where_it_was_printed(server: DevServer) -> None:
    assert server.get("/unhandled").text == "ok"
    says = r"GET /unhandled \| Uncaught"
    server.wait_for(
        rf"{says} \(in promise\) Error: nobody handles it\n.*\| +at .*src/index.ts:35:24"
    )
    server.wait_for(rf"{says} Error: in a timer\n.*\| +at .*src/index.ts:36:34")


def test_a_workerd_that_ends_at_once_is_named_and_started_again(tmp_path: Path) -> None:
    program = tmp_path / "workerd"
    program.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    program.chmod(0o755)
    with dev(
        written(tmp_path / "project"), env={"MINIFLARE_WORKERD_PATH": str(program)}
    ) as running:
        running.wait_for(rf"worker \| no such library\n.*error: {program} exited with status 3")
        running.wait_for("The worker is started again every")


def test_output_and_requests_are_shown(server: DevServer) -> None:
    server.get("/shown?a=1")

    server.wait_for(r"GET /shown \| asked for /shown")
    server.wait_for(r"GET /shown\?a=1 200 ")


def test_a_body_is_streamed_through(server: DevServer) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    assert server.post("/echo", content=pieces()).content == b"x" * 1_000_000
    assert server.post("/echo", content=b"whole").content == b"whole"


def test_a_web_socket_reaches_the_worker(server: DevServer) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{httpx.URL(server.url).port}/socket", proxy=None) as socket:
        socket.send("hello")
        assert socket.recv(10) == "echo hello"


def test_a_save_takes_over_and_one_that_does_not_build_or_load_does_not(tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    answer = folder / "src" / "answer.ts"
    with dev(folder) as running:
        assert running.get("/").text == "first /"

        answer.write_text(ANSWER.replace("first", "second"))
        running.wait_for(r"reloaded in \d+ ms \(.*src/answer.ts\)")
        assert running.get("/").text == "second /"

        seen = len(running.lines)
        answer.write_text("export function answer( {\n")
        running.wait_for(r"src/answer.ts:2:0:", seen)
        assert running.get("/").text == "second /"
        asked = {"accept": "text/html", "sec-fetch-mode": "navigate"}
        page = running.get("/orders?a=1", headers=asked)
        assert page.status_code == 500 and "src/answer.ts:2:0" in page.text
        assert "GET /orders?a=1" in page.text

        seen = len(running.lines)
        answer.write_text(ANSWER + "\nthrow new TypeError('at once');\n")
        running.wait_for(r"Uncaught TypeError: at once\n\s+at src/answer.ts:10:7", seen)
        running.wait_for("The code that worked before still serves", seen)
        assert "service user" not in running.output
        assert running.get("/").text == "second /"

        answer.write_text(ANSWER.replace("first", "third"))
        eventually(lambda: running.get("/").text == "third /")
        eventually(lambda: len(workerds(running)) == 1)


def test_code_that_does_not_build_at_the_start_is_answered_until_it_does(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", "export default {", "")
    with dev(folder) as running:
        assert "src/index.ts:1:" in running.get("/").text
        assert running.get("/cdn-cgi/nothing").status_code == 404

        (folder / "src" / "index.ts").write_text(
            'export default { fetch: () => new Response("built") };\n'
        )
        eventually(lambda: running.get("/").text == "built")


def test_no_connection_is_lost_while_code_is_saved(tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    answer = folder / "src" / "answer.ts"
    with dev(folder) as running:
        port = httpx.URL(running.url).port
        failures: list[str] = []
        answered = 0

        async def ask(until: asyncio.Event) -> None:
            nonlocal answered
            while not until.is_set():
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    whole = await reader.read()
                    assert whole.startswith(b"HTTP/1.1 200 "), whole[:80]
                    writer.close()
                    answered += 1
                except Exception as error:
                    failures.append(repr(error))

        async def save() -> None:
            done = asyncio.Event()
            asking = [asyncio.create_task(ask(done)) for _ in range(4)]
            for number in range(6):
                seen = len(running.lines)
                answer.write_text(ANSWER.replace("first", f"version {number}"))
                await asyncio.to_thread(running.wait_for, "reloaded in", seen)
            done.set()
            await asyncio.gather(*asking)

        asyncio.run(save())
        assert failures == [] and answered > 50


def test_a_loop_that_never_ends_is_noticed_and_replaced(tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    (folder / "groundfog.toml").write_text('[guest]\nhang_timeout = "1 second"\n')
    with dev(folder) as running:
        with pytest.raises(httpx.HTTPError):
            running.client.get("/loop")
        running.wait_for("did not respond for 1 s.*starting it again")
        assert running.get("/").text == "first /"


def test_workerd_ends_with_its_host_even_when_that_is_killed(tmp_path: Path) -> None:
    running = dev(written(tmp_path / "project"))
    running.wait_until_ready()
    [process] = workerds(running)

    running.kill()

    eventually(lambda: not is_alive(process.pid))
    running.stop()


def test_a_workerd_that_is_killed_is_replaced_on_the_same_port(tmp_path: Path) -> None:
    with dev(written(tmp_path / "project")) as running:
        [process] = workerds(running)
        os.kill(process.pid, signal.SIGKILL)
        running.wait_for("starting it again")

        assert running.get("/").text == "first /"


def test_a_workerd_that_is_killed_while_it_loads_says_nothing_of_the_code(tmp_path: Path) -> None:
    computes = "for (let n = 0; n < 1e12; n++);\nexport default { fetch() {} };\n"
    running = dev(project(tmp_path / "project", computes))
    os.kill(eventually(lambda: workerds(running))[0].pid, signal.SIGKILL)

    running.wait_for("exited with signal 9 .*\n.*The worker is started again every")
    assert "Correct the code" not in running.output
    running.stop()


def test_without_the_tools_the_start_says_what_to_install(tmp_path: Path) -> None:
    folder = written(tmp_path / "project")
    running = DevServer(folder, env={"PATH": "/nowhere", "GROUNDFOG_TOOLS": ""})

    assert running.wait_for_exit() == 1
    assert "npm install -D wrangler" in running.output
    running.stop()
