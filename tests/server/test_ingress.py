from __future__ import annotations

import re

import pytest

from emulator.runner.requests import FetchReply, FetchRequest
from tests.server.serving import chunks, get, reply, request, run, serving, status_of


def seen(raw: bytes) -> FetchRequest:
    """Return what the worker sees of a request sent as `raw`."""

    async def main() -> FetchRequest:
        async with serving() as s:
            response = await s.exchange(raw)
            assert status_of(response) == 200, response
            return s.worker.requests[0]

    return run(main())


def answered(answer: FetchReply, raw: bytes = get()) -> bytes:
    """Return what the client sees when the worker gives `answer`."""

    async def handler(request: FetchRequest) -> FetchReply:
        return answer

    async def main() -> bytes:
        async with serving(handler) as s:
            return await s.exchange(raw)

    return run(main())


async def echo(request: FetchRequest) -> FetchReply:
    """Answer with the method and the body."""
    body = b"".join([part async for part in request.body]) if request.body else b""
    return reply(chunks(request.method.encode() + b" " + body))


@pytest.mark.parametrize(
    "method",
    ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "PROPFIND", "QUERY"],
)
def test_every_method_reaches_the_worker(method: str) -> None:
    assert seen(request(method, "/")).method == method


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?",
        "/a%2Fb/%C3%A9/%zz?q=%20+&&=",
        "//double//slash",
        "/a/../b/./c",
        '/odd|chars"{}\\^`',
        "/x?url=http://other/?y",
        "/cdn-cgix",
    ],
)
def test_path_and_query_reach_the_worker_byte_for_byte(target: str) -> None:
    assert seen(get(target, host="localhost:8787")).url == f"http://localhost:8787{target}"


def test_request_headers_keep_their_order_and_repeats() -> None:
    headers = seen(get("/", "X-B: 1", "X-A: 2", "X-B: 3", "X-Latin: \xe9")).headers

    assert [pair for pair in headers if pair[0].startswith("x-")] == [
        ("x-b", "1"),
        ("x-a", "2"),
        ("x-b", "3"),
        ("x-latin", "\xe9"),
    ]


def test_hop_by_hop_request_headers_stay_at_this_hop() -> None:
    names = {name for name, _ in seen(get("/", "TE: trailers", "Keep-Alive: timeout=5")).headers}

    assert names == {"host", "cf-connecting-ip"}


def test_the_worker_is_told_the_clients_address() -> None:
    assert ("cf-connecting-ip", "127.0.0.1") in seen(get()).headers


def test_a_client_may_play_another_address_as_in_wrangler_dev() -> None:
    headers = seen(get("/", "CF-Connecting-IP: 203.0.113.9")).headers

    assert [value for name, value in headers if name == "cf-connecting-ip"] == ["203.0.113.9"]


def test_a_request_without_a_body_has_none() -> None:
    assert seen(request("POST", "/", "Content-Length: 0")).body is None


def test_response_headers_keep_their_order_and_repeats() -> None:
    cookies = [("Set-Cookie", "a=1"), ("X-Mid", "m"), ("Set-Cookie", "b=2")]

    head = answered(reply(headers=cookies)).split(b"\r\n\r\n")[0]

    assert head.split(b"\r\n")[1:4] == [b"set-cookie: a=1", b"x-mid: m", b"set-cookie: b=2"]


def test_hop_by_hop_response_headers_stay_at_this_hop() -> None:
    hop = [("Connection", "upgrade"), ("Keep-Alive", "x"), ("Transfer-Encoding", "gzip")]

    response = answered(reply(headers=hop)).lower()

    assert b"upgrade" not in response and b"gzip" not in response


def test_a_length_that_the_worker_gives_is_kept() -> None:
    response = answered(reply(b"hello", headers=[("Content-Length", "5")]))

    assert b"content-length: 5\r\n" in response and response.endswith(b"\r\n\r\nhello")


def test_a_body_of_unknown_length_is_chunked() -> None:
    response = answered(reply(chunks(b"one", b"", b"two")))

    assert response.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_a_reply_without_body_says_so() -> None:
    assert b"content-length: 0\r\n" in answered(reply(None))


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_has_no_body_is_sent_without_body_or_length(status: int) -> None:
    response = answered(reply(b"ignored", status, [("Content-Length", "7")]))

    assert response.endswith(b"\r\n\r\n")
    assert b"content-length" not in response and b"chunked" not in response


def test_a_head_request_gets_headers_and_length_only() -> None:
    response = answered(reply(b"hello", headers=[("Content-Length", "5")]), request("HEAD", "/"))

    assert b"content-length: 5\r\n" in response and response.endswith(b"\r\n\r\n")


def test_an_unusual_status_is_passed_on() -> None:
    assert status_of(answered(reply(status=599))) == 599


@pytest.mark.parametrize("status", [101, 199, 600])
def test_a_status_outside_200_to_599_becomes_an_error(status: int) -> None:
    response = answered(reply(status=status))

    assert status_of(response) == 500 and f"status {status}".encode() in response


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-A", "1\r\nSet-Cookie: stolen=1"), ("X-A\r\nX-B", "1"), ("X A", "1"), ("X-A", "\u20ac")],
)
def test_a_response_header_that_would_break_the_response_becomes_an_error(
    name: str, value: str
) -> None:
    response = answered(reply(headers=[(name, value)]))

    assert status_of(response) == 500
    assert b"stolen" not in response.split(b"\r\n\r\n")[0]


@pytest.mark.parametrize("length", ["-1", "3, 3", "x", ""])
def test_a_length_that_is_not_a_number_becomes_an_error(length: str) -> None:
    assert status_of(answered(reply(headers=[("Content-Length", length)]))) == 500


@pytest.mark.parametrize("length", ["1", "3"])
def test_a_body_that_contradicts_its_length_is_never_passed_off_as_complete(length: str) -> None:
    answer = reply(chunks(b"t", b"w"), headers=[("Content-Length", length)])

    body = answered(answer).split(b"\r\n\r\n")[1]

    assert body == b"tw"[: int(length)]


def test_a_websocket_upgrade_without_a_key_is_refused_before_the_worker_sees_it() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    async def main() -> bytes:
        async with serving() as s:
            response = await s.exchange(raw)
            assert s.worker.requests == []
            return response

    assert status_of(run(main())) == 400


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk")


@pytest.mark.parametrize("protocol", ["h2c", "H2C", "TLS/1.0", "foo", "h2c, websocket"])
@pytest.mark.parametrize("pieces", [1, 2, 200])
def test_an_offer_to_upgrade_to_another_protocol_is_ignored_and_its_body_read(
    protocol: str, pieces: int
) -> None:
    raw = request(
        "POST", "/a?b", f"Upgrade: {protocol}", *UPGRADE, "Content-Length: 5", body=b"hello"
    )

    async def main() -> tuple[bytes, bytes]:
        async with serving(echo) as s:
            size = -(-len(raw) // pieces)
            parts = [raw[at : at + size] for at in range(0, len(raw), size)]
            return await s.exchange(*parts), s.worker.requests[0].url.encode()

    response, url = run(main())

    assert status_of(response) == 200
    assert b"POST hello" in response
    assert url == b"http://localhost/a?b"


def test_a_chunked_body_after_an_ignored_upgrade_is_read() -> None:
    lines = ("Upgrade: h2c", *UPGRADE, "Transfer-Encoding: chunked")
    raw = request("PUT", "/", *lines) + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"

    async def main() -> bytes:
        async with serving(echo) as s:
            return await s.exchange(raw)

    assert b"PUT hello" in run(main())


def test_requests_ahead_of_and_behind_an_ignored_upgrade_are_answered_in_order() -> None:
    keep = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n%s\r\n%s"
    upgrade = b"Upgrade: h2c\r\nConnection: Upgrade\r\n"

    async def main() -> bytes:
        async with serving(echo) as s:
            ahead = keep % (upgrade, b"1") + keep % (b"", b"2") + keep % (upgrade, b"3")
            return await s.exchange(ahead + get("/"))

    assert re.findall(rb"(?:POST|GET) \d?", run(main())) == [
        b"POST 1",
        b"POST 2",
        b"POST 3",
        b"GET ",
    ]


@pytest.mark.parametrize(
    ("line", "more", "body"),
    [
        (b"POST / HTTP/1.1", b"", b""),
        (b"POST / HTTP/1.1", b"Content-Length: 5\r\n", b"hello"),
        (b"GET / HTTP/1.1", b"Content-Length: 5\r\n", b"hello"),
        (b"GET / HTTP/1.1", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (b"GET / HTTP/1.0", b"", b""),
    ],
)
def test_a_websocket_that_is_asked_for_wrongly_is_refused_in_words(
    line: bytes, more: bytes, body: bytes
) -> None:
    raw = (
        line + b"\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        + more
        + b"\r\n"
        + body
    )

    async def main() -> bytes:
        async with serving(echo) as s:
            return await s.exchange(raw)

    response = run(main())
    assert status_of(response) == 400
    assert b"RFC 6455" in response


def test_requests_sent_ahead_are_answered_in_order() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        return reply(request.url[-1].encode(), headers=[("Content-Length", "1")])

    async def main() -> bytes:
        async with serving(handler) as s:
            ahead = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
            return await s.exchange(ahead % 1 + ahead % 2 + get("/3"))

    response = run(main())

    assert [part[:1] for part in response.split(b"\r\n\r\n")[1:]] == [b"1", b"2", b"3"]


def test_each_request_is_told_to_the_log_with_its_status() -> None:
    async def main() -> list[tuple[str, str, int]]:
        async with serving() as s:
            await s.exchange(get("/a?b=%20"))
            await s.exchange(get("/", host="evil.example"))
            return s.log

    assert run(main()) == [("GET", "/a?b=%20", 200), ("GET", "/", 403)]
