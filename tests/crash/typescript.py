"""The worker under test in TypeScript, `player.ts`, and where it tells what happens."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.crash.ledger import Ledger
from tests.crash.scripts import BIG_BYTES, UNLIMITED, wrangler

MAIN = "src/index.ts"
MARK = "// edited "
# Nothing else ends a worker that computes for ever. Stopped workers and a busy machine take less.
SETTINGS = '[guest]\nhang_timeout = "3 seconds"\n'
PLAYER = Path(__file__).with_name("player.ts")
WRANGLER = wrangler(MAIN, "2026-08-01", "nodejs_compat")


def write_project(folder: Path, address: str) -> None:
    """Write the worker's project; it tells what it does at this address."""
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(WRANGLER + _define(address), encoding="utf-8")
    (folder / MAIN).write_text(f"{MARK}0\n{PLAYER.read_text(encoding='utf-8')}", encoding="utf-8")


def _define(address: str) -> str:
    values = {"LEDGER": json.dumps(address), "UNLIMITED": UNLIMITED, "BIG_BYTES": BIG_BYTES}
    lines = (f"{name} = '{value}'" for name, value in values.items())
    return "\n[define]\n" + "\n".join(lines)


@contextmanager
def told(ledger: Ledger) -> Iterator[str]:
    """Yield an address at which lines for the ledger are taken, and exits are counted."""
    exits: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = b"true"
            if self.path == "/note":
                ledger.note(**body)
            else:
                exits[body["key"]] += 1
                answer = json.dumps(exits[body["key"]] <= body["times"]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                pass  # the worker was killed

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
