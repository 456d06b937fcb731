"""Every attack is tried on a real server over a raw socket; a refusal never reached the worker."""

from __future__ import annotations

import asyncio
import re

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from emulator.errors import UsageError
from emulator.runner.requests import FetchReply, FetchRequest
from emulator.server.http import body_limit, head
from emulator.server.security import Access, checked_host, exposure, host_problem, is_control_path
from tests.server.serving import get, reply, request, run, serving, status_of

CONTROL = "/cdn-cgi/act"
TOKEN = "a-token-of-this-session"


async def act(request: Request) -> Response:
    await request.body()
    names = ",".join(name for name in request.headers if name.startswith(("mf-", "x-groundfog")))
    return PlainTextResponse(f"acted {names}")


ROUTES = [
    Route(CONTROL, act, methods=["GET", "POST"]),
    Mount("/client/v4/accounts", routes=[Route("/list", act, methods=["GET"])]),
]


def sent(raw: bytes, access: Access | None = None) -> bytes:
    """Return the server's answer to `raw`; when it is a refusal, the worker saw nothing."""

    async def main() -> bytes:
        async with serving(access=access, routes=ROUTES) as s:
            response = await s.exchange(raw)
            assert status_of(response) == 200 or s.worker.requests == []
            return response

    return run(main())


def status(raw: bytes, access: Access | None = None) -> int:
    return status_of(sent(raw, access))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "shop.localhost:8787", "127.0.0.1:9", "127.8.9.1", "[::1]:8787"],
)
def test_the_names_of_this_machine_are_accepted_on_any_port(host: str) -> None:
    assert status(get(host=host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "192.168.0.7",
        "[::2]",
        "0.0.0.0",
    ],
)
def test_a_rebound_name_is_refused_even_for_user_code(host: str) -> None:
    assert status(get(host=host)) == 403


@pytest.mark.parametrize(
    "host", ["", "user@x.localhost", "localhost:x", "a/b.localhost", "[::1", "a b.localhost"]
)
def test_a_host_that_is_not_a_host_is_refused(host: str) -> None:
    assert status(get(host=host)) == 400


def test_a_request_without_host_is_refused() -> None:
    assert status(get(host=None)) == 400


def test_a_second_host_header_is_refused() -> None:
    assert status(get("/", "Host: evil.example")) == 400


def test_a_host_header_among_the_trailers_is_not_a_header() -> None:
    body = b"0\r\nHost: evil.example\r\nX-Late: 1\r\n\r\n"

    async def main() -> list[tuple[str, str]]:
        async with serving() as s:
            await s.exchange(request("POST", "/", "Transfer-Encoding: chunked", body=body))
            return s.worker.requests[0].headers

    headers = dict(run(main()))

    assert headers["host"] == "localhost" and "x-late" not in headers


def test_a_name_that_the_user_added_is_accepted() -> None:
    access = Access.for_bind("localhost", None, frozenset({"Dev.Example.com"}))

    assert status(get(host="dev.example.com"), access) == 200


def test_an_address_that_the_user_bound_is_accepted() -> None:
    access = Access.for_bind("192.168.0.7", TOKEN, frozenset())

    assert host_problem(access, [b"192.168.0.7:8787"]) is None
    assert host_problem(access, [b"192.168.0.8:8787"]) is not None


def test_a_wildcard_bind_accepts_addresses_but_no_foreign_name() -> None:
    access = Access.for_bind("*", TOKEN, frozenset())

    assert host_problem(access, [b"10.1.2.3"]) is None
    assert host_problem(access, [b"evil.example"]) is not None


@pytest.mark.parametrize("target", ["http://localhost/", "http://evil.example/", "*", "evil:80"])
def test_a_target_that_is_not_a_path_is_refused(target: str) -> None:
    assert status(request("OPTIONS", target)) == 400


def test_a_tunnel_is_refused() -> None:
    assert status(request("CONNECT", "evil.example:443")) == 400


def test_a_target_with_a_fragment_is_refused() -> None:
    assert status(get("/a#b")) == 400


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 3"],
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: 3", "Content-Length: 3"],
        ["Content-Length: +3"],
        ["Content-Length: 3, 3"],
        ["Content-Length: 0x3"],
        ["Content-Length:"],
        ["Content-Length: 99999999999999999999"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding:\x0bchunked"],
        ["Transfer-Encoding : chunked"],
    ],
)
def test_ambiguous_framing_is_refused(lines: list[str]) -> None:
    response = sent(request("POST", "/", *lines, body=b"0\r\n\r\n"))

    assert status_of(response) == 400
    assert b"connection: close\r\n" in response


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"GET / HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\rX: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX Y: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n: 1\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"FROB / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_a_malformed_request_is_refused(raw: bytes) -> None:
    assert status(raw) == 400


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
def test_another_version_of_http_is_refused(version: bytes) -> None:
    assert status(b"GET / " + version + b"\r\nHost: localhost\r\n\r\n") == 505


def test_nothing_is_taken_for_a_request_after_one_that_was_refused() -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    lines = ["Content-Length: 4", "Transfer-Encoding: chunked"]

    response = sent(request("POST", "/", *lines, body=b"0\r\n\r\n" + smuggled))

    assert status_of(response) == 400 and response.count(b"\r\n\r\n") == 1


def test_a_url_over_16_kb_is_refused() -> None:
    assert status(get("/" + "a" * head.TARGET_MAX_BYTES)) == 414


def test_headers_over_128_kb_are_refused() -> None:
    lines = [f"X-{i}: {'v' * 8000}" for i in range(17)]

    assert status(get("/", *lines)) == 431


def test_one_header_that_never_ends_is_refused() -> None:
    endless = b"v" * (400 * 1024)

    assert status(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + endless) == 431


def test_a_refused_client_that_goes_on_sending_still_reads_why() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"v" * (4 * 1024 * 1024)

    assert status(raw) == 431


def test_too_many_headers_are_refused() -> None:
    assert status(get("/", *["X: 1"] * head.HEADERS_MAX_COUNT)) == 431


def test_trailers_are_capped_like_headers() -> None:
    trailers = b"X: " + b"v" * head.HEADERS_MAX_BYTES
    raw = request("POST", "/", "Transfer-Encoding: chunked", body=b"0\r\n" + trailers + b"\r\n\r\n")

    async def handler(request: FetchRequest) -> FetchReply:
        assert request.body is not None
        return reply(b"".join([chunk async for chunk in request.body]))

    async def main() -> bytes:
        async with serving(handler) as s:
            return await s.exchange(raw)

    assert status_of(run(main())) == 431


def test_a_head_that_trickles_in_is_given_up_after_the_limit() -> None:
    async def main() -> bytes:
        async with serving(head_limit_s=0.05) as s:
            reader, writer = await s.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            answer = asyncio.ensure_future(reader.read())
            while not answer.done():
                writer.write(b"x")
                await asyncio.wait([answer], timeout=0.01)
            writer.close()
            assert s.worker.requests == []
            return await answer

    assert status_of(run(main())) == 408


def test_a_body_and_the_next_request_may_take_longer_than_a_head() -> None:
    """A third connection, with half a head, tells when the limit has passed."""

    async def handler(request: FetchRequest) -> FetchReply:
        assert request.body is not None
        return reply(b"".join([chunk async for chunk in request.body]))

    async def main() -> None:
        async with serving(handler, head_limit_s=0.05) as s:
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
            slow_reader, slow = await s.connect()
            slow.write(head[:9])
            slow.write(head[9:] + b"a")
            kept_reader, kept = await s.connect()
            kept.write(head + b"ab")
            await kept_reader.readuntil(b"ab\r\n0\r\n\r\n")
            assert status_of(await s.exchange(b"GET")) == 408

            slow.write(b"b")
            kept.write(head + b"cd")

            assert (await slow_reader.readuntil(b"ab")).startswith(b"HTTP/1.1 200")
            assert (await kept_reader.readuntil(b"cd")).startswith(b"HTTP/1.1 200")
            slow.close()
            kept.close()

    run(main())


def test_too_many_requests_sent_ahead_are_cut_off() -> None:
    ahead = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

    assert run_ahead(ahead * (head.PIPELINE_MAX_REQUESTS + 2)) == b""


def run_ahead(raw: bytes) -> bytes:
    async def main() -> bytes:
        async with serving() as s:
            return await s.exchange(raw)

    return run(main())


@pytest.mark.parametrize(
    "name",
    ["MF-Route-Override", "mf-original-url", "X-MF-Log", "CF-Consn-Model-Id", "X-Groundfog-Run"],
)
def test_internal_headers_from_outside_never_reach_the_worker(name: str) -> None:
    async def main() -> list[str]:
        async with serving() as s:
            await s.exchange(get("/", f"{name}: forged"))
            return [value for _, value in s.worker.requests[0].headers]

    assert "forged" not in run(main())


def test_internal_headers_from_outside_never_reach_a_control_route() -> None:
    assert sent(get(CONTROL, "MF-Route-Override: a", "X-Groundfog-Run: 1")).endswith(b"acted ")


def test_a_program_may_use_a_control_route() -> None:
    assert status(request("POST", CONTROL)) == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_page_may_use_a_control_route(site: str) -> None:
    lines = ["Origin: http://localhost:8787", f"Sec-Fetch-Site: {site}"]

    assert status(request("POST", CONTROL, *lines, host="localhost:8787")) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:9999",
        "http://localhost",
        "https://localhost:8787",
        "http://127.0.0.1:8787",
        "http://localhost:8787.evil.example",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_page_may_not_use_a_control_route(method: str, origin: str) -> None:
    raw = request(method, CONTROL, f"Origin: {origin}", host="localhost:8787")

    assert status(raw) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_a_browser_that_says_another_site_asks_is_refused_on_control_routes(site: str) -> None:
    assert status(get(CONTROL, f"Sec-Fetch-Site: {site}")) == 403


def test_a_second_origin_header_does_not_hide_a_foreign_one() -> None:
    lines = ["Origin: http://localhost", "Origin: http://evil.example"]

    assert status(request("POST", CONTROL, *lines)) == 403


def test_a_foreign_page_may_use_the_worker_as_in_production() -> None:
    lines = ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"]

    assert status(request("POST", "/", *lines)) == 200


def test_a_cors_preflight_on_a_control_route_gets_no_permission() -> None:
    lines = ["Origin: http://localhost", "Access-Control-Request-Method: POST"]

    response = sent(request("OPTIONS", CONTROL, *lines))

    assert status_of(response) == 405 and b"access-control" not in response.lower()


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "QUERY"])
def test_an_unusual_method_is_refused_on_control_routes(method: str) -> None:
    assert status(request(method, CONTROL)) == 405


@pytest.mark.parametrize(
    "target", ["/cdn-cgi/unknown", "/cdn-cgi", "/cdn-cgi/", "/cdn-cgi%2Funknown", "/%63dn-cgi/x"]
)
def test_user_code_never_sees_a_reserved_path(target: str) -> None:
    assert status(get(target)) == 404


@pytest.mark.parametrize("target", ["/client/v4", "/client/v4/nothing/here"])
def test_an_unknown_api_path_gets_cloudflares_envelope(target: str) -> None:
    response = sent(get(target))

    assert status_of(response) == 404
    assert b'"success":false' in response and b'"code":7000' in response


def test_a_known_control_route_with_the_wrong_method_does_not_fall_through_to_user_code() -> None:
    response = sent(request("DELETE", CONTROL))

    assert status_of(response) == 405 and b"allow: GET, HEAD, POST" in response


def test_a_wrong_method_in_the_api_gets_cloudflares_envelope() -> None:
    response = sent(request("POST", "/client/v4/accounts/list"))

    assert status_of(response) == 405 and b'"code":7001' in response


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Authorization: Bearer wrong"],
        [f"Authorization: Basic {TOKEN}"],
        [f"Authorization: Bearer {TOKEN}x"],
        [f"Authorization: Bearer {TOKEN}", "Authorization: Bearer other"],
    ],
)
def test_beyond_this_machine_a_control_route_needs_the_token(lines: list[str]) -> None:
    access = Access(bind_is_loopback=False, token=TOKEN)

    response = sent(get(CONTROL, *lines), access)

    assert status_of(response) == 401 and TOKEN.encode() not in response


def test_the_token_opens_the_control_routes() -> None:
    access = Access(bind_is_loopback=False, token=TOKEN)

    assert status(get(CONTROL, f"Authorization: Bearer {TOKEN}"), access) == 200


def test_without_a_token_to_compare_control_routes_stay_closed_beyond_this_machine() -> None:
    access = Access(bind_is_loopback=False, token=None)

    assert status(get(CONTROL, "Authorization: Bearer None"), access) == 401


def test_user_code_needs_no_token_beyond_this_machine() -> None:
    assert status(get("/"), Access(bind_is_loopback=False, token=TOKEN)) == 200


def test_a_chunked_body_over_the_cap_is_refused_on_a_control_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body_limit, "REQUEST_BODY_MAX_BYTES", 5)
    body = b"6\r\n123456\r\n0\r\n\r\n"

    assert status(request("POST", CONTROL, "Transfer-Encoding: chunked", body=body)) == 413


@pytest.mark.parametrize(
    ("path", "is_control"),
    [("/cdn-cgi/x", True), ("/client/v4", True), ("/client/v4x", False), ("/CDN-CGI/x", False)],
)
def test_control_paths_are_told_by_their_whole_first_segments(path: str, is_control: bool) -> None:
    assert is_control_path(path) is is_control


@pytest.mark.parametrize(
    "raw",
    [
        get(CONTROL),
        get("/cdn-cgi/unknown"),
        get("/client/v4/unknown"),
        request("DELETE", CONTROL),
        get(CONTROL, "Origin: http://evil.example"),
        get("/", host="evil.example"),
        get("no-path"),
    ],
)
def test_no_page_of_another_site_can_read_or_frame_an_answer_of_ours(raw: bytes) -> None:
    head = sent(raw).partition(b"\r\n\r\n")[0].lower()

    assert head.count(b"x-content-type-options: nosniff") == 1
    assert head.count(b"cross-origin-resource-policy: same-origin") == 1
    assert head.count(b"content-security-policy: frame-ancestors 'none'") == 1


def test_the_answers_of_a_worker_are_its_own() -> None:
    head = sent(get("/"))

    assert b"nosniff" not in head and b"cross-origin" not in head


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("dev.example.com", "dev.example.com"),
        ("DEV.Example", "dev.example"),
        ("my_box", "my_box"),
        ("192.168.1.5", "192.168.1.5"),
        ("fe80::1", "[fe80::1]"),
        ("[fe80::1]", "[fe80::1]"),
    ],
)
def test_an_allowed_host_is_accepted_as_it_is_written(given: str, host: str) -> None:
    access = Access.for_bind("localhost", None, frozenset({checked_host(given)}))

    assert host_problem(access, [host.encode() + b":8787"]) is None


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("*", "no wildcards"),
        ("*.evil.com", "no wildcards"),
        (".evil.com", "no wildcards"),
        ("evil.com:80", "Leave the port out: evil.com"),
        ("[::1]:80", "Leave the port out: [::1]"),
        ("http://evil.com/x", "Give the host alone: evil.com"),
        ("", "no host has"),
        ("evil com", "no host has"),
        ("évil.com", "no host has"),
    ],
)
def test_an_allowed_host_that_could_never_match_is_refused_at_once(given: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(hint)):
        checked_host(given)


@pytest.mark.parametrize("ip", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_there_is_no_warning_about_a_server_for_this_machine_only(ip: str) -> None:
    assert exposure(Access.for_bind(ip, None, frozenset()), ip) is None


@pytest.mark.parametrize("ip", ["0.0.0.0", "*", "::", "192.168.1.5"])
def test_a_server_that_others_reach_says_who_and_what_they_need(ip: str) -> None:
    warning = exposure(Access.for_bind(ip, TOKEN, frozenset()), ip)

    assert warning is not None
    assert f"listening on {ip}" in warning
    assert "token" in warning and "dev.json" in warning and TOKEN not in warning
    assert ("any of its networks" in warning) == (ip != "192.168.1.5")
