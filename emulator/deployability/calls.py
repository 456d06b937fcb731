"""Calls of what Pyodide lacks: threads, processes, sockets; and writes to the deployed files.

Source: https://developers.cloudflare.com/workers/languages/python/stdlib/.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from emulator.deployability.source import Source
from emulator.findings import Finding

THREADS = frozenset(
    """
    threading.Thread threading.Timer _thread.start_new_thread
    concurrent.futures.ThreadPoolExecutor concurrent.futures.thread.ThreadPoolExecutor
    multiprocessing.pool.ThreadPool multiprocessing.dummy.Pool
    """.split()
)
PROCESSES = frozenset(
    """
    subprocess.run subprocess.Popen subprocess.call subprocess.check_call subprocess.check_output
    subprocess.getoutput os.system os.popen os.fork os.posix_spawn os.kill
    asyncio.create_subprocess_exec asyncio.create_subprocess_shell
    concurrent.futures.ProcessPoolExecutor signal.signal signal.alarm
    multiprocessing.Process multiprocessing.Pool multiprocessing.Queue multiprocessing.Manager
    """.split()
)
LISTENING = frozenset(
    """
    asyncio.start_server asyncio.start_unix_server socketserver.TCPServer socket.create_server
    http.server.HTTPServer wsgiref.simple_server.make_server uvicorn.run
    """.split()
)
SOCKETS = frozenset(
    """
    socket.socket socket.create_connection asyncio.open_connection asyncio.open_unix_connection
    urllib.request.urlopen http.client.HTTPConnection http.client.HTTPSConnection smtplib.SMTP
    ftplib.FTP
    """.split()
)
WRITING_METHODS = frozenset("write_text write_bytes touch mkdir unlink rmdir".split())
_WRITING = ("os.mkdir", "os.makedirs", "os.remove", "os.unlink", "os.rename", "shutil.rmtree")

_FETCH = "Deployed, Python has sockets from 3.14 on only. Use fetch() or httpx."
_ONLY_TMP = "Deployed, the files of the worker can only be read, and /tmp is lost with the isolate."


def lacking(source: Source, has_sockets: bool) -> Iterator[Finding]:
    """Yield the calls of what is not there when deployed.

    has_sockets: whether the worker's Python can open sockets (from 3.14 on).
    """
    for name, call in source.calls():
        shown = f"{ast.unparse(call.func)}()"
        if name in THREADS:
            advice = "Deployed, it is RuntimeError: can't start new thread. Use asyncio."
            yield source.warning(call, "thread", f"{shown} starts threads", advice)
        elif name in PROCESSES or name.startswith(("os.exec", "os.spawn")):
            advice = "Deployed, there are no processes and no signals."
            yield source.warning(call, "process", f"{shown} needs processes", advice)
        elif name in LISTENING:
            advice = "Deployed, no socket can listen: requests come to fetch()."
            yield source.warning(call, "socket", f"{shown} listens", advice)
        elif name in SOCKETS and not has_sockets:
            yield source.warning(call, "socket", f"{shown} opens a socket", _FETCH)
        elif _writes(name, call) and not _is_temporary(call):
            yield source.warning(call, "file-write", f"{shown} writes a file", _ONLY_TMP)


def _writes(name: str, call: ast.Call) -> bool:
    if name in ("open", "io.open"):
        return _writes_in_mode(call, 1)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "open" and "." not in name:
        return _writes_in_mode(call, 0)  # Path(…).open("w")
    if name in _WRITING:
        return True
    return isinstance(call.func, ast.Attribute) and call.func.attr in WRITING_METHODS and (
        name == "" or not name.startswith("self.env.")
    )  # fmt: skip


def _writes_in_mode(call: ast.Call, place: int) -> bool:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    given += call.args[place : place + 1]
    return any(
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and set(mode.value) & set("wax+")
        for mode in given
    )


def _is_temporary(call: ast.Call) -> bool:
    """Whether the call names /tmp or tempfile, as far as can be seen."""
    return any(word in ast.unparse(call).lower() for word in ("/tmp", "tmp", "temp"))
