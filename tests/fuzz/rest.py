"""The control routes: every path and method with any body, query and ids."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Message

from bindings.ai.ai import Ai, Settings
from emulator.clock import VirtualClock
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.engine.control import Control
from emulator.engine.engine import Engine
from emulator.server.api.ai import ai_routes
from emulator.server.api.workflows.routes import workflow_routes
from emulator.server.app import create_app
from emulator.server.security import Access, is_control_path
from emulator.worker import Worker
from tests.engine.scripted import Step
from tests.engine.world import World
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import changed_bytes, changed_json, json_bytes, json_value, text
from tests.server.serving import FakeWorker

_BASES = (
    "/client/v4/accounts/0123456789abcdef0123456789abcdef/workflows",
    "/cdn-cgi/local/explorer/api/workflows",
)
_OWN = "/cdn-cgi/groundfog"
_AI = "/client/v4/accounts/a/ai"
PROJECT = """
name = "app"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[ai]
binding = "AI"

[[workflows]]
binding = "FLOW"
name = "orders"
class_name = "Orders"
"""
_BODIES: tuple[Any, ...] = (
    {"instance_id": "b", "params": {"n": 1}, "instance_retention": {"success_retention": "1 day"}},
    {"id": "c", "params": '{"n":1}'},
    [{"instance_id": "d"}, {"instance_id": "d"}],
    {"instances": ["a", "b"]},
    ["a", "b"],
    {"status": "pause"},
    {"status": "resume", "accept": True, "all": True},
    {"status": "resume", "rename": {"old": "new"}},
    {"action": "restart", "from": {"name": "charge", "count": 1, "type": "do"}},
    {"status": "terminate", "rollback": True},
    {"class_name": "Orders", "script_name": "app"},
    {"step": "rest-1"},
    {"workflow": "orders", "status": ["complete"], "older_than": "7 days", "dry_run": True},
    {"by": "1 hour"},
    {"to": "2030-01-01T00:00:00Z"},
    {"prompt": "hello", "stream": True},
    {"model": "@cf/meta/llama-3.1-8b-instruct", "messages": [{"role": "user", "content": "a"}]},
    {"model": "@cf/baai/bge-base-en-v1.5", "input": ["a", "b"]},
    {"text": ["a"]},
)
_QUERIES = (
    *("page=1&per_page=2", "cursor=3", "status=complete", "date_start=2026-01-01T00:00:00Z"),
    *("name=charge-1&type=step&attempt=1", "simple=true&order=desc", "filter=step_started"),
    *(
        "search=llama&task=Text",
        "model=@cf/meta/llama-3.1-8b-instruct",
        "largest=2",
        "direction=asc",
    ),
)


def _quoted(random: Random) -> str:
    return quote(text(random).encode("utf-8", "surrogatepass"), safe="")


def _paths(random: Random) -> str:
    workflow = random.choice(("orders", "orders", "orders", "other", _quoted(random)))
    instance = random.choice(("a", "a", "b", "batch", "terminate", _quoted(random)))
    base, one = random.choice(_BASES), f"/{workflow}/instances/{instance}"
    model = random.choice(("@cf/meta/llama-3.1-8b-instruct", "@cf/baai/bge-base-en-v1.5", "../x"))
    return random.choice(
        (
            *(
                base,
                f"{base}/{workflow}",
                f"{base}/{workflow}/versions",
                f"{base}/{workflow}/instances",
            ),
            *(f"{base}{one}", f"{base}{one}/status", f"{base}{one}/step", f"{base}{one}/subscribe"),
            *(f"{base}{one}/events/{_quoted(random)}", f"{base}{one}/events/go"),
            *(f"{base}/{workflow}/instances/batch{end}" for end in ("", "/terminate", "/delete")),
            *(f"{_OWN}/workflows{one}/skip", f"{_OWN}/workflows{one}/export"),
            *(f"{_OWN}/journal", f"{_OWN}/journal/prune", f"{_OWN}/{_quoted(random)}"),
            *(
                f"{_AI}/run/{model}",
                f"{_AI}/models/search",
                f"{_AI}/models/schema",
                f"{_AI}/tomarkdown",
            ),
            *(f"{_AI}/v1/chat/completions", f"{_AI}/v1/embeddings", f"{_AI}/v1/responses"),
            *(f"/client/v4/{_quoted(random)}", f"/cdn-cgi/{_quoted(random)}"),
        )
    )


class Rest(Target):
    """An input is a line of JSON for each request: `[method, target, body]`."""

    name = "rest"
    about = "the control routes: paths, methods, queries, bodies and ids of any kind"
    limit_s = 3.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "entry.py").touch()
        (folder / "wrangler.toml").write_text(PROJECT)
        self._config = load_config(folder, process_env={}, clock=VirtualClock())

    def make(self, random: Random) -> bytes:
        requests = []
        for _ in range(random.randint(1, 5)):
            method = random.choice(("GET", "GET", "POST", "POST", "PATCH", "DELETE", "PUT", "ODD"))
            target = _paths(random)
            if random.random() < 0.4:
                query = random.choice((*_QUERIES, f"{_quoted(random)}={_quoted(random)}"))
                target += f"?{query}"
                if random.random() < 0.5:
                    target = changed_bytes(random, target.encode()).decode("latin-1")
            body = random.choice((*_BODIES, json_value(random)))
            for _ in range(random.choice((0, 0, 1, 2))):
                body = changed_json(random, body)
            content = json_bytes(body) if random.random() < 0.9 else b""
            if random.random() < 0.1:
                content = changed_bytes(random, content)
            requests.append([method, target, content.decode("latin-1")])
        return b"\n".join(map(json_bytes, requests))

    def check(self, data: bytes) -> None:
        requests = []
        for line in data.splitlines():
            try:
                method, target, body = json.loads(line)
            except (ValueError, TypeError):
                return  # made too small
            requests.append((method, target, body.encode("latin-1")))
        asyncio.run(self._play(requests))

    async def _play(self, requests: list[tuple[str, str, bytes]]) -> None:
        for old in self.folder.glob("journal*"):
            old.unlink()
        world = World(self.folder, {"Orders": _orders})
        ai = Ai((), Settings(), clock=world.clock)
        try:
            await world.create()
            worker = parts(world.engine, world.control, self._config)
            routes = [*workflow_routes(worker), *ai_routes(lambda: ai)]
            app = create_app(FakeWorker(), access=Access(), routes=lambda: routes)
            for method, target, body in requests:
                path = unquote_to_bytes(target.partition("?")[0]).decode("utf-8", "replace")
                if not is_control_path(path) or not target.isascii():
                    continue  # the worker's, or refused before it comes here
                status, headers, answer = await ask(app, method, target, body)
                _check_answer(method, target, status, headers, answer)
        finally:
            await ai.close()
            world.crash()


async def _orders(event: Any, step: Step) -> Any:
    await step.do("charge", lambda ctx: {"paid": True})
    await step.sleep("rest", "1 hour")
    return event["payload"]


def parts(engine: Engine, control: Control, config: Config) -> Worker:
    """Return what the API asks of a worker, on an engine that runs no guest."""
    now_ms = engine.clock.now_ms()
    found = SimpleNamespace(engine=engine, control=control, config=config, started_ms=now_ms)
    return cast(Worker, found)


async def ask(
    app: ASGIApp, method: str, target: str, body: bytes
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Call the app once; a stream of events is left after its first second."""
    raw_path, _, query = target.encode("latin-1").partition(b"?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent = False
    head: Message = {}
    answered = bytearray()
    over = asyncio.Event()

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await over.wait()
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            head = message
        else:
            answered.extend(message.get("body", b""))

    await _within(app(scope, receive, send), over)
    return int(head.get("status", 0)), dict(head.get("headers", [])), bytes(answered)


async def _within(work: Awaitable[None], over: asyncio.Event) -> None:
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=0.5)
    over.set()
    if not done:
        await asyncio.wait([task], timeout=1.0)
    if not task.done():
        task.cancel()
        raise Broken("it does not end, although the client has gone away")
    task.result()


def _check_answer(
    method: str, target: str, status: int, headers: dict[bytes, bytes], answer: bytes
) -> None:
    shown = f"{method} {target[:150]}: {status} {answer[:200]!r}"
    if not 200 <= status < 500:
        raise Broken(shown)
    if b"Traceback" in answer:
        raise Broken(shown)
    if headers.get(b"content-type", b"").startswith(b"application/json") and answer:
        body = json.loads(answer)
        if "/ai/v1/" in target and status == 200:
            return  # as OpenAI's
        if status >= 400 and isinstance(body, dict) and "error" in body:
            return  # as OpenAI's
        if not isinstance(body, dict) or body.get("success") is not (status < 400):
            raise Broken(f"no envelope: {shown}")
