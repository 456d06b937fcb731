"""Requests to a folder of assets: files, headers, conditions, ranges, rules, and no way out."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from bindings.assets import rule_files
from bindings.assets.assets import Assets
from bindings.assets.ignored import matcher
from bindings.assets.paths import base_problem, normalized, to_base
from bindings.assets.rule_files import read_headers, read_redirects
from bindings.assets.settings import AssetSettings
from bindings.http import StreamedAnswer

HOST = "http://localhost:8787"
Pairs = list[tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    public = tmp_path / "public"
    for name, text in {
        "index.html": "<h1>home</h1>",
        "about.html": "about",
        "blog/index.html": "blog",
        "app.js": "app()",
        "data.bin": "0123456789",
        "a b+c.txt": "spaces",
        "ü.txt": "umlaut",
        "noending": "x",
        "_headers": "/*\n  X-All: yes\n",
        "_redirects": "/old /new 301\n",
        ".hidden": "dot",
    }.items():
        path = public / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "secret.txt").write_text("secret")
    return public


def ask(
    settings: AssetSettings,
    target: str,
    method: str = "GET",
    headers: Pairs | None = None,
    told: list[str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of `ASSETS.fetch`."""

    async def run() -> tuple[int, dict[str, str], bytes]:
        assets = Assets(settings, (told if told is not None else []).append)
        return await read(await assets.fetch(method, HOST + target, headers or []))

    return asyncio.run(run())


async def read(answer: StreamedAnswer) -> tuple[int, dict[str, str], bytes]:
    body = b"" if answer.body is None else b"".join([piece async for piece in answer.body])
    return answer.status, dict(answer.headers), body


def goes_to_worker(settings: AssetSettings, target: str, headers: Pairs | None = None) -> bool:
    async def run() -> bool:
        return await Assets(settings, print).front("GET", HOST + target, headers or []) is None

    return asyncio.run(run())


def test_a_file_has_its_type_its_hash_and_is_not_kept_without_asking(folder: Path) -> None:
    status, headers, body = ask(AssetSettings(folder), "/")

    assert (status, body) == (200, b"<h1>home</h1>")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert headers["content-length"] == "13"
    again = ask(AssetSettings(folder), "/", headers=[("If-None-Match", headers["etag"])])
    weak = ask(AssetSettings(folder), "/", headers=[("If-None-Match", f"W/{headers['etag']}")])
    assert again[0] == weak[0] == 304 and again[2] == b""
    (folder / "index.html").write_text("<h1>changed</h1>")
    assert ask(AssetSettings(folder), "/")[1]["etag"] != headers["etag"]


@pytest.mark.parametrize(
    ("target", "status", "body", "location"),
    [
        ("/app.js", 200, b"app()", None),
        ("/about", 200, b"about", None),
        ("/about.html?x=1", 307, b"", "/about?x=1"),
        ("/blog", 307, b"", "/blog/"),
        ("/a%20b%2Bc.txt", 200, b"spaces", None),
        ("/a%20b+c.txt", 307, b"", "/a%20b%2Bc.txt"),
        ("/%C3%BC.txt", 200, b"umlaut", None),
        ("/ü.txt", 200, b"umlaut", None),
        ("//app.js", 307, b"", "/app.js"),
        ("/x/../app.js", 200, b"app()", None),
        ("/.hidden", 200, b"dot", None),
        ("/old", 301, b"", "/new"),
        ("/none", 404, b"", None),
    ],
)
def test_a_path_is_served_or_sent_to_its_canonical_form(
    folder: Path, target: str, status: int, body: bytes, location: str | None
) -> None:
    found = ask(AssetSettings(folder), target)
    assert (found[0], found[2], found[1].get("location")) == (status, body, location)


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/blog/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/blog/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/....//secret.txt",
        "/%252e%252e/secret.txt",
        "/link.txt",
        "/linked/secret.txt",
        "/secret.txt%00",
        "/app.js%00.html",
        "/_headers",
        "/_redirects",
        "/%5fheaders",
        "/blog",
        "/" + "a" * 5000,
        "/%ff",
        "/%",
    ],
)
@pytest.mark.parametrize("handling", ["auto-trailing-slash", "none"])
def test_nothing_outside_of_the_folder_is_served(folder: Path, target: str, handling: str) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "linked").symlink_to(folder.parent)
    status, _, body = ask(AssetSettings(folder, html_handling=handling), target)

    assert status in (404, 307) and body == b""


def test_a_link_inside_of_the_folder_is_served_until_it_leads_out(folder: Path) -> None:
    (folder / "link.js").symlink_to("app.js")
    settings = AssetSettings(folder)
    assert ask(settings, "/link.js")[2] == b"app()"

    async def run() -> list[int]:
        assets = Assets(settings, print)
        first = await assets.fetch("GET", f"{HOST}/link.js", [])
        os.unlink(folder / "link.js")
        (folder / "link.js").symlink_to(folder.parent / "secret.txt")
        second = await assets.fetch("GET", f"{HOST}/link.js", [])
        return [first.status, second.status]

    assert asyncio.run(run()) == [200, 404]


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("items=0-1", 200, b"0123456789", None),
        ("bytes=x", 200, b"0123456789", None),
    ],
)
def test_one_range_is_served(
    folder: Path, header: str, status: int, body: bytes, content_range: str | None
) -> None:
    found = ask(AssetSettings(folder), "/data.bin", headers=[("Range", header)])
    assert (found[0], found[2], found[1].get("content-range")) == (status, body, content_range)


def test_a_range_of_another_version_is_the_whole_file(folder: Path) -> None:
    headers = [("Range", "bytes=0-1"), ("If-Range", '"other"')]
    assert ask(AssetSettings(folder), "/data.bin", headers=headers)[0] == 200


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405), ("DELETE", 405)])
def test_other_methods(folder: Path, method: str, status: int) -> None:
    found = ask(AssetSettings(folder), "/app.js", method)
    assert (found[0], found[2]) == (status, b"")


def test_a_file_of_megabytes_comes_in_pieces(folder: Path) -> None:
    content = os.urandom(3 * 1024 * 1024 + 7)
    (folder / "large.bin").write_bytes(content)

    async def run() -> list[bytes]:
        answer = await Assets(AssetSettings(folder), print).fetch("GET", f"{HOST}/large.bin", [])
        assert answer.body is not None
        return [piece async for piece in answer.body]

    pieces = asyncio.run(run())
    assert b"".join(pieces) == content and max(map(len, pieces)) <= 256 * 1024


@pytest.mark.parametrize(
    ("changes", "target", "navigates", "worker"),
    [
        ({}, "/app.js", False, False),
        ({}, "/api", False, True),
        ({}, "/about.html", False, False),
        ({}, "/old", False, False),
        ({"worker_first": True}, "/app.js", False, True),
        ({"worker_first": ("/api/*",)}, "/api/x", False, True),
        ({"worker_first": ("/*", "!/app.js")}, "/app.js", False, False),
        ({"worker_first": ("/*", "!/app.js")}, "/index.html", False, True),
        ({"worker_first": ("/*", "!/none")}, "/none", False, False),
        ({"not_found_handling": "single-page-application"}, "/deep", True, False),
        ({"not_found_handling": "single-page-application"}, "/deep", False, True),
        (
            {"not_found_handling": "single-page-application", "navigation_first": False},
            "/deep",
            True,
            True,
        ),
        (
            {"not_found_handling": "single-page-application", "worker_first": ("/api/*",)},
            "/deep",
            False,
            False,
        ),
        ({"base_path": "/app/"}, "/app/app.js", False, False),
        ({"base_path": "/app/"}, "/app.js", False, True),
        ({"base_path": "/app/"}, "/app", False, False),
    ],
)
def test_who_answers(
    folder: Path, changes: dict[str, object], target: str, navigates: bool, worker: bool
) -> None:
    settings = replace(AssetSettings(folder), **changes)
    headers = [("Sec-Fetch-Mode", "navigate")] if navigates else []
    assert goes_to_worker(settings, target, headers) is worker


def test_a_base_path_is_taken_off_and_put_on_again(folder: Path) -> None:
    settings = AssetSettings(folder, base_path="/app/")
    assert ask(settings, "/app/app.js")[2] == b"app()"
    assert ask(settings, "/app/about.html")[1]["location"] == "/app/about"
    assert ask(settings, "/app")[1]["location"] == "/app/"
    assert ask(settings, "/app/")[2] == b"<h1>home</h1>"
    assert ask(settings, "/app.js")[0] == 404


def test_headers_are_set_joined_and_removed_in_the_order_of_their_rules(folder: Path) -> None:
    (folder / "_headers").write_text(
        "# comment\n/*\n  X-A: 1\n  X-A: 2\n  X-Path: p:splat\n\n"
        "/blog/*\n  X-A: 3\n  ! ETag\n/:name.js\n  X-Name: :name\n"
        "https://localhost/about\n  X-Host: yes\nhttps://other.example/*\n  X-Other: yes\n"
    )
    settings = AssetSettings(folder)
    blog = ask(settings, "/blog/")[1]
    assert (blog["x-a"], "etag" in blog, blog["x-path"]) == ("1, 2, 3", False, "pblog/")
    assert ask(settings, "/app.js")[1]["x-name"] == "app"
    about = ask(settings, "/about")[1]
    assert "x-host" in about and "x-other" not in about
    assert ask(settings, "/about.html")[1]["x-a"] == "1, 2"


@pytest.mark.parametrize(
    ("rules", "target", "status", "location"),
    [
        ("/a /b", "/a?q=1", 302, "/b?q=1"),
        ("/a /b?x=2 308", "/a?q=1", 308, "/b?x=2"),
        ("/a https://other.example/z", "/a?q=1", 302, "https://other.example/z?q=1"),
        ("/blog/* /news/:splat 303", "/blog/2026/x", 303, "/news/2026/x"),
        ("/u/:id/:tab /p?id=:id#:tab", "/u/7/mail", 302, "/p?id=7#mail"),
        ("/go/* /:splat", "/go//evil.example", 302, "/evil.example"),
        ("/a /first\n/:x /second", "/a", 302, "/first"),
        ("/:x /second\n/a /first", "/a", 302, "/second"),
        ("/script /app.js 200", "/script", 200, None),
        ("/script /none.js 200", "/script", 404, None),
    ],
)
def test_redirects_lead_where_their_rules_say(
    folder: Path, rules: str, target: str, status: int, location: str | None
) -> None:
    (folder / "_redirects").write_text(rules)
    found = ask(AssetSettings(folder), target)
    assert (found[0], found[1].get("location")) == (status, location)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/a", "Expected exactly 2 or 3 whitespace-separated tokens. Got 1."),
        ("https://x.example/a /b", "Only relative URLs are allowed."),
        ("/a b", "URLs should either be relative"),
        ("/a /b 404", "Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got 404."),
        ("/* /index.html", "Infinite loop detected"),
        ("/a/ /index", "Infinite loop detected"),
        ("/a /b\n/a /c", "Ignoring duplicate rule for path /a."),
        ("/a https://x.example 200", "Proxy (200) redirects can only point to relative paths."),
        ("/" + "a" * 2000 + " /b", "exceeds the maximum allowed length of 2000"),
    ],
)
def test_a_wrong_redirect_is_told_and_left_out(line: str, told: str) -> None:
    rules, problems = read_redirects(f"{line}\n/ok /b", "auto-trailing-slash")
    assert told in "\n".join(problems) and rules[-1].source == "/ok"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("X-A: 1", "Path should come before header (x-a: 1)"),
        ("nothing", "Expected a path beginning with at least one forward-slash"),
        ("/a\n  nothing", "Expected a colon-separated header pair (e.g. name: value)"),
        ("/a\n  X A: 1", "Header name cannot include spaces"),
        ("/a\n  : 1", "No header name specified"),
        ("/a\n  X-A:", "No header value specified"),
        ("/a", "No headers specified"),
        ("/*/*\n  X-A: 1", "Only one wildcard is allowed per rule."),
        ("/*/:splat\n  X-A: 1", "Cannot combine a wildcard * with a :splat placeholder"),
        ("https://x.example:1/a\n  X-A: 1", "Specifying ports is not supported."),
    ],
)
def test_a_wrong_header_rule_is_told_and_left_out(text: str, told: str) -> None:
    rules, problems = read_headers(f"{text}\n/ok\n  X-Ok: 1")
    assert told in "\n".join(problems) and rules[-1].pattern == "/ok"


def test_there_are_limits_of_rules() -> None:
    many = "\n".join(f"/{n} /x" for n in range(rule_files.STATIC_REDIRECTS_MAX + 2))
    dynamic = "\n".join(f"/{n}/* /x" for n in range(rule_files.DYNAMIC_REDIRECTS_MAX + 2))
    headers = "\n".join(f"/{n}\n  X: 1" for n in range(rule_files.HEADER_RULES_MAX + 2))
    assert len(read_redirects(many, "none")[0]) == rule_files.STATIC_REDIRECTS_MAX
    assert len(read_redirects(dynamic, "none")[0]) == rule_files.DYNAMIC_REDIRECTS_MAX
    assert len(read_headers(headers)[0]) == rule_files.HEADER_RULES_MAX


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        ("", "/_worker.js", True),
        ("", "/_headers", True),
        ("*.map", "/a/b.js.map", True),
        ("/*.map", "/a/b.js.map", False),
        ("node_modules", "/x/node_modules/y.js", True),
        ("drafts/", "/drafts/a.html", True),
        ("drafts/", "/drafts", False),
        ("*.txt\n!keep.txt", "/keep.txt", False),
        ("docs/\n!docs/a.txt", "/docs/a.txt", True),
        ("a/**/z", "/a/b/c/z", True),
        ("a/**", "/a/b/c", True),
        ("?.js", "/a.js", True),
        ("[ab].js", "/c.js", False),
        ("[!ab].js", "/c.js", True),
        ("\\#a", "/#a", True),
        ("# a", "/# a", False),
    ],
)
def test_what_is_ignored_is_as_for_git(lines: str, path: str, ignored: bool) -> None:
    assert matcher(lines)(path) is ignored


def test_rules_that_are_changed_are_read_again(folder: Path) -> None:
    told: list[str] = []

    async def run() -> list[int]:
        assets = Assets(AssetSettings(folder), told.append)
        found = [(await assets.fetch("GET", f"{HOST}/app.js", [])).status]
        (folder / ".assetsignore").write_text("*.js")
        (folder / "_redirects").write_text("wrong")
        async with asyncio.timeout(5):
            while (status := (await assets.fetch("GET", f"{HOST}/app.js", [])).status) == 200:
                await asyncio.sleep(0.02)
        return [*found, status]

    assert asyncio.run(run()) == [200, 404]
    assert any("Expected exactly 2 or 3" in text for text in told)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a/./b/../c", "/a/c"), ("/a/%2E%2e", "/"), ("/a\\b", "/a/b"), ('/ü "', "/%C3%BC%20%22")],
)
def test_paths_are_normalized_as_urls_are(path: str, expected: str) -> None:
    assert normalized(path) == expected


def test_a_base_path_has_one_form() -> None:
    assert [to_base(value) for value in ("/", "app", "/a//b/../c/", ".")] == [
        *("/", "/app/", "/a/c/", "/")
    ]
    for wrong in ("", "//x", "http://x", "a\\b", "a?b", "a%20", "a\n"):
        assert base_problem(wrong)
