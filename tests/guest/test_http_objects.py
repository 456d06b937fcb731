"""`workers.Request`, `Response`, `FormData`, `Blob` and values, as user code meets them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.guest.python import (
    conversion,
    imports,  # noqa: F401  # all of it, as in a guest
)
from emulator.guest.python.sdk.jsdict import JsDict
from emulator.guest.python.sdk.pyodide.ffi import JsException, jsnull, to_js
from emulator.guest.python.sdk.workers import Blob, File, FormData, Request, Response
from emulator.guest.python.streams import ReadableStream
from tests.runner.running import Running, read, run
from tests.runner.test_requests import worker


def test_a_text_response_has_the_platforms_content_type() -> None:
    response = Response("hello", status=HTTPStatus.CREATED)

    assert repr(response) == "Response(status=201, content_type='text/plain;charset=UTF-8')"
    assert asyncio.run(response.text()) == "hello"


def test_header_values_become_text_as_in_javascript() -> None:
    response = Response(None, headers={"a": True, "b": 1, "c": None, "d": 1.0, 5: jsnull})

    shown = {"a": "true", "b": "1", "c": "undefined", "d": "1", "5": "null"}
    assert dict(response.headers) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (12345678901234567890.0, "12345678901234567000"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (-2.5e300, "-2.5e+300"),
        (5e-324, "5e-324"),
        (0.1 + 0.2, "0.30000000000000004"),
        (123.456, "123.456"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (2**53 + 1, "9007199254740993"),
        (b"x", "b'x'"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(value: Any, text: str) -> None:
    assert Response(None, headers={"a": value}).headers["a"] == text


@pytest.mark.parametrize("value", [" 1 \n", "\t1\r\n", "\r\n\r\n1", "1"])
def test_white_space_around_a_header_is_cut_off(value: str) -> None:
    assert Response(None, headers={"a": value}).headers["a"] == "1"
    assert Request("http://x/", headers=[("a", value)]).headers["a"] == "1"


@pytest.mark.parametrize("value", ["a\nb", "a\r\n b", "a\0b"])
def test_a_line_break_inside_a_header_is_refused(value: str) -> None:
    with pytest.raises(JsException, match="TypeError: Invalid header value for a: "):
        Response(None, headers={"a": value})


@pytest.mark.parametrize(
    "headers",
    [(("a", "1"),), Response("y").headers, "a: b", {"a": "1"}.items(), {("a", "1")}],
)
def test_headers_of_other_types_than_dict_and_list_are_refused(headers: Any) -> None:
    refused = pytest.raises(TypeError, match="^Received unexpected type for headers argument")
    with refused:
        Response("x", headers=headers)
    with refused:
        Request("http://x/", headers=headers)


def test_a_response_takes_no_headers_as_none_and_a_request_does_not() -> None:
    nothing: list[Any] = [None, (), {}, [], ""]
    for empty in nothing:
        assert "a" not in Response(None, headers=empty).headers
    with pytest.raises(TypeError, match="Received unexpected type for headers argument"):
        Request("http://x/", headers=None)


def test_headers_that_are_no_pairs_are_refused() -> None:
    for wrong in (["ab"], [("a", "1", "2")], [1]):
        with pytest.raises(JsException, match="Headers are pairs of a name and a value"):
            Response(None, headers=wrong)


def test_the_headers_of_another_request_can_be_given_as_a_dict() -> None:
    first = Request("http://x/", headers={"a": "1", "b": "2"})

    assert dict(Request("http://y/", headers=dict(first.headers)).headers) == {"a": "1", "b": "2"}


def test_a_clone_of_a_response_has_a_body_of_its_own() -> None:
    async def scenario() -> None:
        first = Response("body", 201, headers={"a": "1"})
        second = first.clone()
        assert [await first.text(), await second.text()] == ["body", "body"]
        assert (second.status, second.headers["a"]) == (201, "1")
        with pytest.raises(OSError, match="Response body is already used"):
            first.clone()
        assert Response(None).clone().body is None

    asyncio.run(scenario())


def test_clones_of_a_stream_are_read_each_at_its_own_pace() -> None:
    read: list[str] = []

    async def parts() -> AsyncIterator[str]:
        for part in "abc":
            read.append(part)
            yield part
            await asyncio.sleep(0)

    async def scenario() -> None:
        first = Response(parts())
        second = first.clone()
        third = second.clone()
        assert first.body is not None
        assert await anext(first.body) == b"a"
        assert read == ["a"]
        assert [*await asyncio.gather(second.text(), third.text())] == ["abc", "abc"]
        assert [bytes(chunk) async for chunk in first.body] == [b"b", b"c"]
        assert read == ["a", "b", "c"]

    asyncio.run(scenario())


def test_a_clone_that_nobody_reads_on_leaves_the_stream_to_the_other() -> None:
    closed: list[bool] = []

    async def parts() -> AsyncIterator[str]:
        try:
            for part in "abc":
                await asyncio.sleep(0)
                yield part
        finally:
            closed.append(True)

    async def scenario() -> None:
        first, second = ReadableStream(parts()).tee()
        reading = asyncio.create_task(first.to_bytes())
        await asyncio.sleep(0)
        reading.cancel()  # in the middle of an item
        await asyncio.gather(reading, return_exceptions=True)
        await first.cancel()
        assert await second.to_bytes() == b"abc"
        third, fourth = ReadableStream(parts()).tee()
        await anext(third)
        closed.clear()
        await third.cancel()
        assert closed == []
        await fourth.cancel()
        assert closed == [True]

    asyncio.run(scenario())


def test_a_stream_that_fails_raises_in_both_clones() -> None:
    async def parts() -> AsyncIterator[str]:
        yield "a"
        raise ValueError("torn")

    async def scenario() -> None:
        first = Response(parts())
        second = first.clone()
        for each in (first, second):
            with pytest.raises(ValueError, match="torn"):
                await each.text()

    asyncio.run(scenario())


def test_a_locked_stream_has_no_second_copy() -> None:
    stream = Response("a").body
    assert stream is not None
    stream.getReader()
    with pytest.raises(JsException, match="currently locked to a reader"):
        stream.tee()


def test_repeated_headers_are_joined_except_cookies() -> None:
    response = Response(
        None, headers=[("A", "1"), ("a", "2"), ("set-cookie", "x"), ("Set-Cookie", "y")]
    )

    assert response.headers.get_all("A") == ["1, 2"]
    assert response.headers.get_all("Set-Cookie") == ["x", "y"]


def test_json_is_written_with_spaces_on_the_class_and_read_on_an_instance() -> None:
    response = Response.json({"a": [1, None]}, 418)

    assert response.status == 418
    assert response.headers["content-type"] == "application/json"
    assert asyncio.run(response.text()) == '{"a": [1, null]}'
    assert asyncio.run(Response.from_json([1]).json()) == [1]


def test_what_json_cannot_hold_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="Object of type datetime is not JSON serializable"):
        Response.json(datetime(2026, 1, 1))


def test_a_body_can_be_read_once() -> None:
    async def scenario() -> None:
        response = Response("once")
        await response.bytes()
        assert response.body_used
        with pytest.raises(OSError, match="Response body is already used"):
            await response.text()

    asyncio.run(scenario())


def test_redirects_are_checked() -> None:
    assert Response.redirect("http://x/a", 307).headers["location"] == "http://x/a"
    with pytest.raises(ValueError, match="200 is not a redirect status code"):
        Response.redirect("http://x/a", 200)


def test_responses_can_stream_from_generators() -> None:
    async def parts() -> AsyncIterator[Any]:
        yield "text "
        yield b"and bytes"

    async def scenario() -> None:
        assert await Response(parts()).text() == "text and bytes"
        assert await Response(part for part in ("a", "b")).text() == "ab"
        with pytest.raises(TypeError, match="expected bytes or str"):
            await Response(part for part in (1, 2)).text()

    asyncio.run(scenario())


def test_a_stream_has_a_reader_as_in_javascript() -> None:
    async def scenario() -> None:
        body = Response("ab").body
        assert body is not None
        reader = body.getReader()
        first, second = await reader.read(), await reader.read()
        assert (first.done, first.value.to_bytes(), second.done) == (False, b"ab", True)

    asyncio.run(scenario())


def test_requests_are_normalised_and_checked() -> None:
    assert Request("http://example.com").url == "http://example.com/"
    assert Request("http://x/", method="post").method == "POST"
    with pytest.raises(JsException, match="Invalid URL: nowhere"):
        Request("nowhere")
    with pytest.raises(JsException, match="with a GET or HEAD method cannot have a body"):
        Request("http://x/", body="b")


def test_a_request_can_be_made_from_another_with_changes() -> None:
    first = Request("http://x/", method="POST", body="b", headers={"a": "1"})

    second = Request(first, method="PUT")

    assert (second.method, second.headers["A"]) == ("PUT", "1")
    assert asyncio.run(second.text()) == "b"
    assert first.body_used


@pytest.mark.parametrize("binary", [b"plain", bytes(range(256)), b"\r\n--x\r\n\r\n"])
def test_a_multipart_form_survives_its_own_trip(binary: bytes) -> None:
    form = FormData({"name": "Grüße"})
    form.append("file", File([binary], "a b.bin", content_type="application/x-thing"))
    form.append("name", "again")

    async def scenario() -> None:
        received = await Request("http://x/", method="POST", body=form).form_data()
        assert received.get_all("name") == ["Grüße", "again"]
        file = received["file"]
        assert (file.name, file.content_type) == ("a b.bin", "application/x-thing")
        assert await file.bytes() == binary

    asyncio.run(scenario())


def test_an_urlencoded_form_is_read() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = Request("http://x/", method="POST", body="a=1&b=&a=%C3%BC", headers=headers)

    form = asyncio.run(request.form_data())

    assert list(form.items()) == [("a", "1"), ("b", ""), ("a", "ü")]


def test_a_form_of_another_type_is_refused() -> None:
    request = Request("http://x/", method="POST", body="a=1")

    with pytest.raises(TypeError, match="FormData can only parse"):
        asyncio.run(request.form_data())


def test_blobs_are_made_of_parts() -> None:
    async def scenario() -> None:
        blob = Blob(["a", b"b", memoryview(b"c"), Blob("d")], content_type="text/plain")
        assert (await blob.text(), blob.size, Blob(blob).content_type) == ("abcd", 4, "text/plain")
        assert await blob.slice(1, 3).text() == "bc"
        with pytest.raises(TypeError, match="Don't know how to handle <class 'int'> for Blob"):
            Blob([1])

    asyncio.run(scenario())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    )
)
def test_plain_values_cross_unchanged(value: Any) -> None:
    assert conversion.copy(value) == value


def test_values_arrive_in_the_shapes_of_the_sdk() -> None:
    copied = conversion.copy(
        {
            "object": {"deep": 1},
            "bytes": b"ab",
            "floats": memoryview(b"\0\0\x80?\0\0\0@").cast("f"),
            "date": datetime(2026, 1, 2, 3, 4, 5, 678000),
            "error": ValueError("no"),
            "null": jsnull,
            "big": 2**70,
        }
    )

    assert type(copied.object) is JsDict and copied.object.deep == 1
    assert copied.bytes == b"ab" and type(copied.bytes) is memoryview
    assert (copied.floats.tolist(), copied.floats.format) == ([1.0, 2.0], "f")
    assert copied.date == datetime(2026, 1, 2, 3, 4, 5, 678000)
    assert type(copied.error) is Exception and str(copied.error) == "Error: no"
    assert copied.null is None
    assert copied.big == 2**70


def test_a_js_dict_reads_and_writes_attributes_but_keeps_the_methods_of_dict() -> None:
    record = JsDict(name="ada", keys=[1])

    record.age = 36
    del record.name

    assert record == {"keys": [1], "age": 36}
    assert callable(record.keys)
    with pytest.raises(AttributeError, match="nothing"):
        record.nothing  # noqa: B018


def test_to_js_makes_maps_and_arrays() -> None:
    assert to_js({"a": (1, 2)}).to_py() == {"a": [1, 2]}


@pytest.fixture
def upstream() -> Iterator[str]:
    """A server that answers with what it was sent, and redirects from /away."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/away":
                self.send_response(302)
                self.send_header("location", "/landed")
                self.end_headers()
                return
            length = int(self.headers.get("content-length", 0))
            record = [
                self.command,
                self.path,
                self.headers.get("x-a"),
                self.rfile.read(length).decode(),
            ]
            data = json.dumps(record).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_fetch_reaches_other_servers_and_follows_redirects(tmp_path: Path, upstream: str) -> None:
    worker(
        tmp_path,
        "from workers import fetch\n"
        f"sent = await fetch('{upstream}/a?b', method='POST', body='hi', headers={{'X-A': 1}})\n"
        f"landed = await fetch('{upstream}/away')\n"
        f"manual = await fetch('{upstream}/away', redirect='manual')\n"
        "return Response.json([await sent.json(), await landed.json(), landed.ok, manual.status])",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        _, _, body = await read(await it.fetch())
        assert json.loads(body) == [
            ["POST", "/a?b", "1", "hi"],
            ["GET", "/landed", None, ""],
            True,
            302,
        ]

    run(tmp_path, scenario)


def test_fetch_raises_oserror_when_nobody_listens(tmp_path: Path, upstream: str) -> None:
    worker(
        tmp_path,
        "from workers import fetch\n"
        "try:\n    await fetch('http://127.0.0.1:1/')\n"
        "except OSError as error:\n    return Response(type(error).__name__)",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"AbortError"

    run(tmp_path, scenario)
