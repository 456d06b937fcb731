"""`caches` of a worker in workerd: what is kept, for how long, and what of it is answered."""

from __future__ import annotations

import pytest

from bindings.http import HttpAnswer, StreamedAnswer
from emulator.runner.workerd import response_cache
from emulator.runner.workerd.response_cache import ResponseCache
from tests.server.serving import run

URL = "https://example.com/a?b=1"


def put(cache: ResponseCache, body: bytes = b"kept", *lines: str, **headers: str) -> None:
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines]).encode()
    run(cache.answer("PUT", URL, headers, head + b"\r\n\r\n" + body))


def match(cache: ResponseCache, **headers: str) -> HttpAnswer | StreamedAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return run(cache.answer("GET", URL, named, b""))


def is_kept(cache: ResponseCache) -> bool:
    return match(cache).status == 200


def test_a_response_comes_back_with_its_headers_until_it_is_deleted() -> None:
    cache = ResponseCache()
    assert match(cache).status == 504
    put(cache, b"\0\r\n\r\n", "X-Own: 1", "Vary: a", "Vary: b", "Content-Length: 5")

    found = match(cache)

    assert isinstance(found, HttpAnswer)
    assert (found.status, found.body) == (200, b"\0\r\n\r\n")
    assert found.headers == {"x-own": "1", "vary": "a, b", "cf-cache-status": "HIT"}
    assert run(cache.answer("PURGE", URL, {}, b"")).status == 200
    assert run(cache.answer("PURGE", URL, {}, b"")).status == 404
    assert not is_kept(cache)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("Cache-Control: max-age=60", True),
        ("Cache-Control: max-age=60, s-maxage=0", False),
        ("Cache-Control: no-store", False),
        ("Cache-Control: private, max-age=60", False),
        ("Expires: Fri, 01 Jan 2100 00:00:00 GMT", True),
        ("Expires: Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("Expires: never", False),
        ("Set-Cookie: a=1", False),
        ("X-Says: nothing", True),
    ],
)
def test_the_response_says_whether_it_may_be_kept(line: str, kept: bool) -> None:
    cache = ResponseCache()
    put(cache, b"kept", line)
    assert is_kept(cache) is kept


def test_a_client_that_has_it_or_wants_a_part_is_answered_so() -> None:
    cache = ResponseCache()
    put(cache, b"0123456789", 'ETag: "e"', "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT")

    assert match(cache, if_none_match='"x", W/"e"').status == 304
    assert match(cache, if_none_match='"x"').status == 200
    assert match(cache, if_modified_since="Fri, 02 Jan 2026 00:00:00 GMT").status == 304
    for asked, part in (("2-4", b"234"), ("8-", b"89"), ("-3", b"789"), ("5-99", b"56789")):
        found = match(cache, range=f"bytes={asked}")
        assert isinstance(found, HttpAnswer)
        assert (found.status, found.body) == (206, part)
    assert match(cache, range="bytes=20-30").status == 200


def test_caches_have_names_and_forget_what_was_used_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(response_cache, "KEPT_MAX_BYTES", 10)
    cache, mine = ResponseCache(), {"cf-cache-namespace": "mine"}
    put(cache, b"123456")
    run(cache.answer("PUT", URL, mine, b"HTTP/1.1 200 OK\r\n\r\n12345"))

    assert not is_kept(cache)
    assert run(cache.answer("GET", URL, mine, b"")).status == 200
    put(cache, b"much too large to be kept")
    assert not is_kept(cache)
