"""Asks `wrangler dev` and our assets for the same paths, and prints each difference.

`python -m tests.bindings.assets.against_wrangler`; needs GROUNDFOG_WRANGLER and GROUNDFOG_NODE. It
is no test, as each of the configurations takes wrangler some seconds to start.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from bindings.assets.assets import Assets
from bindings.assets.settings import HTML_HANDLING, NOT_FOUND_HANDLING, AssetSettings

FILES = """index.html file.html folder/index.html both.html both/index.html plain nested/404.html
404.html deep/a.html script.js a+c.txt x.unknown y.json z.svg""".split()
REDIRECTS = """/old /file 301
/blog/* /news/:splat 303
/u/:id/:tab /p?id=:id#:tab
/go/* /:splat
/script /script.js 200
/scriptx /none.js 200
"""
HEADERS = "/*\n  X-A: 1\n/folder/*\n  X-A: 2\n  ! ETag\n"
TARGETS = """/ /index /index.html /file /file/ /file.html /file/index /file/index.html /folder
/folder/ /folder.html /folder/index /folder/index.html /both /both/ /both.html /both/index
/both/index.html /plain /plain/ /script.js /script.js/ /missing /missing/ /nested/x /nested/x/y
/nested/404 /nested/404.html /404 /404.html /deep /deep/ /deep/a /a+c.txt /a%2Bc.txt /a%2bc.txt
//script.js /folder// /x/../script.js /%2e%2e/script.js /..%2fscript.js /%66ile /old?x=1 /blog/a/b
/u/7/m /go//evil.example /go/evil /script /scriptx /_headers /_redirects /%5fheaders /x.unknown
/y.json /z.svg /file?q=1 /file.html?q=1 /%ff /% /a%00b /folder%2findex.html /folder%5cindex.html
/blog/%20x?y""".split()
WORKER = 'export default { fetch() { return new Response("WORKER"); } };'
NAVIGATION = ("Sec-Fetch-Mode", "navigate")


@contextmanager
def wrangler(folder: Path, html: str, not_found: str) -> Iterator[int]:
    """Run `wrangler dev` on a folder; yield its port."""
    (folder / "worker.mjs").write_text(WORKER)
    (folder / "wrangler.toml").write_text(
        'name = "w"\nmain = "worker.mjs"\ncompatibility_date = "2026-08-01"\n'
        f'[assets]\ndirectory = "public"\nhtml_handling = "{html}"\n'
        f'not_found_handling = "{not_found}"\n'
    )
    program = f"{os.environ['GROUNDFOG_WRANGLER']}/node_modules/.bin/wrangler"
    path = f"{os.environ.get('GROUNDFOG_NODE', '')}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [program, "dev", "--port", "0", "--show-interactive-dev-session=false"],
        cwd=folder,
        env={**os.environ, "PATH": path, "CI": "1", "WRANGLER_SEND_METRICS": "false"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"Ready on http://\S+:(\d+)", line):
                yield int(found[1])
                return
        raise AssertionError("wrangler ended")
    finally:
        tree = [*psutil.Process(process.pid).children(recursive=True), process]
        for each in tree:  # the launcher of npm would leave Node.js, workerd and esbuild behind
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(10)


def asked(port: int, target: str, navigates: bool) -> Any:
    """Return what wrangler answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.putrequest("GET", target)
    if navigates:
        connection.putheader(*NAVIGATION)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    headers = {name.lower(): str(answer.getheader(name)) for name, _ in answer.getheaders()}
    connection.close()
    return "WORKER" if body == b"WORKER" else shown(answer.status, headers, body)


def shown(status: int, headers: dict[str, str], body: bytes) -> Any:
    """Return what must be equal."""
    names = ("location", "content-type", "x-a", "cache-control")
    return (status, *(headers.get(name) for name in names), "etag" in headers, body)


async def ours(assets: Assets, port: int, target: str, navigates: bool) -> Any:
    """Return what we answer."""
    headers = [NAVIGATION] if navigates else []
    answer = await assets.front("GET", f"http://127.0.0.1:{port}{target}", headers)
    if answer is None:
        return "WORKER"
    body = b"" if answer.body is None else b"".join([piece async for piece in answer.body])
    return shown(answer.status, dict(answer.headers), body)


async def main() -> int:
    """Compare every way of handling; return the number of differences."""
    differences = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in FILES:
            path = folder / "public" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
        (folder / "public" / "_redirects").write_text(REDIRECTS)
        (folder / "public" / "_headers").write_text(HEADERS)
        for html in HTML_HANDLING:
            for not_found in NOT_FOUND_HANDLING:
                assets = Assets(AssetSettings(folder / "public", html, not_found), print)
                with wrangler(folder, html, not_found) as port:
                    for target in TARGETS:
                        for navigates in (False, True):
                            here = await ours(assets, port, target, navigates)
                            there = asked(port, target, navigates)
                            if here != there:
                                differences += 1
                                print(html, not_found, target, navigates, here, there, sep="\n  ")
                print(
                    f"{html}, {not_found}: {2 * len(TARGETS)} requests, {differences} differences"
                )
    return differences


if __name__ == "__main__":
    sys.exit(asyncio.run(main()) != 0)
