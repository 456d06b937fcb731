"""The workflow of the benchmarks on DBOS Transact with SQLite; run as `python serve.py PORT`.

Answers what `../python` answers to `/steps`, measured in the same way: in the process that runs the
workflows, until the last one ends. Started one by one, since DBOS has no batch.
"""

import asyncio
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from dbos import DBOS

Path("state").mkdir(exist_ok=True)
DBOS(
    config={
        "name": "benchmark",
        "system_database_url": "sqlite:///state/dbos.sqlite",
        "log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
async def work():
    return {"done": True}


@DBOS.workflow()
async def steps_of_one(steps):
    for _ in range(steps):
        await work()
    return "done"


async def steps(instances, steps):
    began = time.perf_counter()
    handles = [await DBOS.start_workflow_async(steps_of_one, steps) for _ in range(instances)]
    created_seconds = time.perf_counter() - began
    for handle in handles:
        await handle.get_result()
    return {"created_seconds": created_seconds, "run_seconds": time.perf_counter() - began}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlparse(self.path)
        body = b"hello"
        if url.path == "/steps":
            query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
            result = asyncio.run_coroutine_threadsafe(steps(**query), loop).result()
            body = json.dumps(result).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


async def main():
    DBOS.launch()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    await asyncio.Event().wait()


loop = asyncio.new_event_loop()
loop.run_until_complete(main())
