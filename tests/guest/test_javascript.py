"""What the platform has of JavaScript beside Pyodide: streams, timers, signals, sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from tests.guest.test_bindings import seen, seen_and_told


def given(folder: Path, code: str, **options: Any) -> Any:
    return seen(folder, code, {}, **options)


def test_streams_of_users_functions_are_pulled_and_cancelled(tmp_path: Path) -> None:
    code = """
import js
from pyodide.ffi import create_proxy, to_js
log = []

@create_proxy
async def pull(controller):
    log.append("pull")
    if len(log) > 2:
        controller.close()
    else:
        controller.enqueue(to_js(b"piece "))

@create_proxy
async def cancel(reason=None):
    log.append("cancel")

text = await js.Response.new(js.ReadableStream.new(pull=pull, cancel=cancel)).text()
log.clear()
reader = js.ReadableStream.new(pull=pull, cancel=cancel).getReader()
first = await reader.read()
await reader.cancel()
out = [text, first.value.to_bytes().decode(), log]
"""
    assert given(tmp_path, code) == ["piece piece ", "piece ", ["pull", "cancel"]]


def test_what_is_written_to_a_transform_stream_is_read_from_it(tmp_path: Path) -> None:
    code = """
import js

def upper(chunk, controller):
    controller.enqueue(chunk.upper())

pipe = js.TransformStream.new(transform=upper, flush=lambda c: c.enqueue(b"!"))
writer = pipe.writable.getWriter()

async def write():
    for text in (b"a", b"b"):
        await writer.write(text)
    await writer.close()

writing = asyncio.ensure_future(write())
out = [await js.Response.new(pipe.readable).text()]
await writing
plain = js.TransformStream.new()
through = js.Response.new("xyz").body.pipeThrough(plain)
out.append(await js.Response.new(through).text())
received = []
await js.Response.new("to a sink").body.pipeTo(
    js.WritableStream.new(write=lambda chunk, c: received.append(chunk.decode())))
out.append(received)
"""
    assert given(tmp_path, code) == ["AB!", "xyz", ["to a sink"]]


def test_timers_go_off_and_are_cleared(tmp_path: Path) -> None:
    code = """
from js import clearInterval, clearTimeout, queueMicrotask, scheduler, setInterval, setTimeout
from pyodide.ffi import create_once_callable, create_proxy
from pyodide.ffi.wrappers import set_timeout
out = []
never = setTimeout(lambda: out.append("never"), 1)
clearTimeout(never)
setTimeout(create_once_callable(out.append), 2, "with an argument")
queueMicrotask(create_proxy(lambda: out.append("soon")))
set_timeout(lambda: out.append("later"), 3)
ticks = []
number = setInterval(lambda: ticks.append(1), 2)
while len(ticks) < 3:
    await scheduler.wait(2)
clearInterval(number)
count = len(ticks)
await scheduler.wait(10)
out.append(len(ticks) == count)
"""
    assert given(tmp_path, code) == ["soon", "with an argument", "later", True]


def test_signals_abort_and_listeners_hear(tmp_path: Path) -> None:
    code = """
from js import AbortController, AbortSignal, Event, EventTarget
from pyodide.ffi import create_proxy
controller = AbortController.new()
out = []
controller.signal.addEventListener("abort", create_proxy(lambda event: out.append(event.type)))
controller.abort()
controller.abort()
out += [controller.signal.aborted, controller.signal.reason.name]
late = AbortSignal.timeout(1)
while not late.aborted:
    await asyncio.sleep(0.001)
out.append(late.reason.name)
target, heard = EventTarget.new(), []
listener = create_proxy(heard.append)
target.addEventListener("x", listener, {"once": True})
target.dispatchEvent(Event.new("x"))
target.dispatchEvent(Event.new("x"))
out.append(len(heard))
"""
    assert given(tmp_path, code) == ["abort", True, "AbortError", "TimeoutError", 1]


def test_both_ends_of_a_socket_pair_converse_in_the_worker(tmp_path: Path) -> None:
    code = """
from js import ArrayBuffer, WebSocketPair
from pyodide.ffi import JsProxy, create_proxy, to_js
client, server = WebSocketPair.new().object_values()
out = []
for end in (client, server):
    end.accept()
server.addEventListener("message", create_proxy(lambda event: server.send(event.data)))
client.onmessage = create_proxy(lambda event: out.append(
    event.data if isinstance(event.data, str) else event.data.to_bytes().decode()))
client.send("text")
client.send(to_js(b"bytes"))
client.send(b"python's")
out.append(isinstance(server, JsProxy))
"""
    assert given(tmp_path, code) == ["text", "bytes", "python's", True]


def test_a_destroyed_proxy_and_a_second_call_are_errors(tmp_path: Path) -> None:
    code = """
from pyodide.ffi import create_once_callable, create_proxy, destroy_proxies, to_js
out = []
proxy, once = create_proxy(len), create_once_callable(len)
out += [proxy("ab"), once("abc")]
destroy_proxies([proxy])
for call in (proxy, once):
    try:
        call("x")
    except JsException as error:
        out.append(error.message)
"""
    assert given(tmp_path, code) == [
        *(2, 3, "Object has already been destroyed", "OnceProxy can only be called once"),
    ]


def test_fetch_of_javascript_gives_a_raw_response(tmp_path: Path) -> None:
    code = """
import js
from pyodide.http import AbortError, pyfetch
out = []
for call in (lambda: js.fetch("http://127.0.0.1:1/"), lambda: pyfetch("http://127.0.0.1:1/")):
    try:
        await call()
    except Exception as error:
        out.append(type(error).__name__)
promise = js.fetch("nothing").catch(lambda error: error.message)
out.append(await promise)
"""
    assert given(tmp_path, code) == ["JsException", "AbortError", "Invalid URL: nothing"]


def test_object_looks_into_a_pair_of_sockets_as_examples_do(tmp_path: Path) -> None:
    code = """
from js import Headers, Object, WebSocketPair
pair = Object.values(WebSocketPair.new())
client, server = pair
out = [type(client).__name__, client is pair[0], list(Object.keys(WebSocketPair.new())),
       len(Object.entries(WebSocketPair.new())), len(Object.keys(Headers.new({"a": "b"}.items())))]
"""
    assert given(tmp_path, code) == ["WebSocket", True, ["0", "1"], 2, 0]


def test_a_proxy_asks_its_handler_and_does_the_rest_itself(tmp_path: Path) -> None:
    code = """
import js
from pyodide.ffi import JsException, create_proxy, to_js

class Handler:
    def get(self, target, name, receiver):
        return f"<{name}>" if name != "missing" else None

    def has(self, target, name):
        return name != "missing"

    def set(self, target, name, value, receiver):
        return name != "fixed" and js.Reflect.set(target, name, 2 * value)

target = js.Object.fromEntries([["a", 1]])
proxy = js.Proxy.new(target, create_proxy(Handler()))
proxy.b = 4
out = [proxy.a, hasattr(proxy, "missing"), target.b, list(proxy.object_keys())]
try:
    proxy.fixed = 1
except JsException as error:
    out.append(str(error))
double = js.Proxy.new(create_proxy(lambda n: 2 * n), js.Object.fromEntries(
    [["apply", lambda of, this, given: of(given[0]) + 1]]))
out.append(double(4))
"""
    assert given(tmp_path, code) == [
        *("<a>", False, 8, ["a", "b"]),
        "TypeError: 'set' on proxy: trap returned falsish for property 'fixed'",
        9,
    ]


def test_buffer_of_node_is_there_with_its_flag(tmp_path: Path) -> None:
    code = """
from js import Buffer
made = Buffer.from_("hi ä")
out = [made.toString("hex"), made.toString("base64"), len(made), Buffer.isBuffer(made)]
out += [Buffer.from_("68696a", "hex").toString(), Buffer.from_("aGk", "base64url").toString()]
out.append(Buffer.concat([Buffer.alloc(2, "ab"), made]).equals(b"abhi \\xc3\\xa4"))
"""
    assert given(tmp_path, code, date="2026-08-04") == [
        *("686920c3a4", "aGkgw6Q=", 5, True, "hij", "hi", True),
    ]


def test_the_error_of_a_listener_is_shown_and_the_next_one_is_called(tmp_path: Path) -> None:
    code = """
from js import Event, EventTarget
target, out = EventTarget.new(), []

def fails(event):
    raise LookupError("in a listener")

target.addEventListener("x", fails)
target.addEventListener("x", lambda event: out.append("next"))
target.dispatchEvent(Event.new("x"))
"""
    found, told = seen_and_told(tmp_path, code, {})
    assert found == ["next"]
    assert "LookupError: in a listener" in told


def test_a_cache_keeps_responses_as_long_as_they_say(tmp_path: Path) -> None:
    code = """
from js import Request, Response, caches
cache = caches.default
kept = Response.new("body", headers={"cache-control": "max-age=60", "x-a": "1"})
await cache.put("http://a/", kept.clone())
await cache.put("http://b/", Response.new("x", headers={"cache-control": "no-store"}))
found = await cache.match(Request.new("http://a/"))
out = [await found.text(), found.headers["x-a"], found.headers["cf-cache-status"],
       await cache.match("http://b/"), await (await caches.open("other")).match("http://a/"),
       await cache.delete("http://a/"), await cache.delete("http://a/"),
       await cache.match("http://a/")]
for request, response in ((Request.new("http://a/", method="POST"), kept.clone()),
                          ("http://a/", Response.new("x", headers={"vary": "*"}))):
    try:
        await cache.put(request, response)
    except JsException as error:
        out.append(error.message)
"""
    assert given(tmp_path, code) == [
        *("body", "1", "HIT", None, None, True, False, None),
        "Cannot cache response to non-GET request.",
        "Cannot cache response with 'Vary: *' header.",
    ]


def test_a_request_that_arrived_says_where_from_and_others_do_not(tmp_path: Path) -> None:
    code = """
from pyodide.ffi import JsProxy
from workers import Request
out = [request.cf.colo, isinstance(request.cf, JsProxy), request.js_object.cf.country,
       request.cf.botManagement.score, request.clone().cf.colo, Request("http://a").cf,
       Request("http://a", cf={"colo": "X"}).cf.colo]
"""
    assert given(tmp_path, code) == ["DFW", True, "US", 99, "DFW", None, "X"]


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that sends back what it gets, until it gets `bye`."""

    def answer(socket: ServerConnection) -> None:
        for message in socket:
            if message == "bye":
                socket.close(4001, "as you wish")
                return
            socket.send(message)

    with serve(answer, "127.0.0.1", 0, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def test_sockets_to_other_servers_open_converse_and_close(tmp_path: Path, echo: str) -> None:
    code = f"""
import js
from pyodide.ffi import create_proxy, to_js
out, over = [], asyncio.Event()
socket = js.WebSocket.new("ws://{echo}/chat")
out.append(socket.readyState)
sizes = iter([b"x" * 200, b"y" * 70_000])

def opened(event):
    socket.send("text")

async def heard(event):
    data = event.data if isinstance(event.data, str) else len(event.data.to_bytes())
    out.append(data)
    following = next(sizes, None)
    socket.send("bye" if following is None else to_js(following))

def closed(event):
    out.extend([event.code, event.reason, event.wasClean])
    over.set()

socket.addEventListener("open", create_proxy(opened))
socket.addEventListener("message", create_proxy(heard))
socket.addEventListener("close", create_proxy(closed))
await over.wait()
"""
    assert given(tmp_path, code) == [0, "text", 200, 70_000, 4001, "as you wish", True]


def test_fetch_opens_a_socket_and_a_refused_one_tells_so(tmp_path: Path, echo: str) -> None:
    code = f"""
import js
from workers import fetch
answer = await fetch("http://{echo}/", headers={{"Upgrade": "websocket"}})
socket, heard = answer.js_object.webSocket, asyncio.Queue()
socket.onmessage = lambda event: heard.put_nowait(event.data)
socket.accept()
socket.send("hello")
out = [answer.status, await heard.get()]
socket.close(1000, "done")
refused, over = js.WebSocket.new("ws://127.0.0.1:1/"), asyncio.Event()
refused.onerror = lambda event: out.append(event.type)
refused.onclose = lambda event: (out.append(event.code), over.set())
await over.wait()
"""
    assert given(tmp_path, code) == [101, "hello", "error", 1006]
