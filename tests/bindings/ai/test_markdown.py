"""`toMarkdown`: what files become, and how a file that cannot be converted is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.ai.markdown import convert
from bindings.ai.pictures import draw
from emulator.errors import WorkerError

from .calls import new_ai

PAGE = b"""<!doctype html><html><head><title>The  Shop</title>
<meta name="description" content="Sells things"><base href="https://shop.example/a/">
<style>p { color: red }</style></head><body><header>Menu</header>
<h1>Welcome &amp; hello</h1><p>We sell <b>good</b> <a href="tea">tea</a>.<br>Come in.</p>
<ul><li>One<ul><li>Inner</li></ul></li><li>Two</li></ul><ol><li>First</li><li>Second</li></ol>
<table><tr><th>Name</th><th>Price</th></tr><tr><td>Tea|Pot</td><td>5</td></tr></table>
<blockquote>Said</blockquote><pre>x = 1
  y</pre><script>alert(1)</script><img src="/p.png" alt="A pot"><footer>End</footer>
<script type="application/ld+json">{"@type": "Shop"}</script></body></html>"""


def markdown(name: str, content: bytes, kind: str = "", **options: Any) -> dict[str, Any]:
    file = {"name": name, "mimeType": kind, "data": content}
    result: dict[str, Any] = convert(file, {"conversionOptions": options})
    return result


def test_html_becomes_markdown() -> None:
    result = markdown("page.html", PAGE)

    assert (result["format"], result["mimeType"]) == ("markdown", "text/html")
    assert result["tokens"] > 20
    assert result["data"] == (
        "---\ntitle: The Shop\ndescription: Sells things\n---\n\n# Welcome & hello\n\n"
        "We sell **good** [tea](https://shop.example/a/tea).\nCome in.\n\n"
        "- One\n  - Inner\n- Two\n\n1. First\n2. Second\n\n"
        "| Name | Price |\n| --- | --- |\n| Tea\\|Pot | 5 |\n\n> Said\n\n```\nx = 1\n  y\n```\n\n"
        "![A pot](https://shop.example/p.png)\n\n"
        '```json\n{"@type": "Shop"}\n```\n'
    )


def test_a_hostname_resolves_relative_links() -> None:
    page = b'<p><a href="/x">X</a></p>'

    assert (
        "(https://a.example/x)" in markdown("p.html", page, html={"hostname": "a.example"})["data"]
    )


def test_csv_becomes_a_table() -> None:
    result = markdown("t.csv", b'name,note\r\nAda,"a | b\nc"\r\nBob\r\n')

    assert result["data"] == "| name | note |\n| --- | --- |\n| Ada | a \\| b<br>c |\n| Bob |  |\n"


def test_xml_becomes_an_outline() -> None:
    result = markdown("o.xml", b'<Order id="7"><item>Tea</item> left <item/></Order>')

    assert result["data"] == ("- **Order** (id: 7)\n  - **item**: Tea\n  - left\n  - **item**\n")


def test_json_and_text_are_passed_on() -> None:
    assert markdown("a.json", b'{"a":[1]}')["data"].startswith('```json\n{\n  "a"')
    assert markdown("a.md", b"# Hi\n")["data"] == "# Hi\n"
    assert markdown("a", "Grüße".encode(), "text/plain; charset=utf-8")["data"] == "Grüße"


def test_a_picture_is_described() -> None:
    picture = draw("a red barn", 0, 64, 64, "image/png")

    assert markdown("p.png", picture)["data"] == "A picture of a red barn\n"


def test_the_text_format_can_be_asked_for() -> None:
    assert markdown("a.txt", b"x", output={"format": "text"})["format"] == "text"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.pdf", b"%PDF-1.4", "Cannot convert application/pdf: Groundfog does not convert it"),
        ("a.docx", b"PK", "does not convert it"),
        ("a.exe", b"MZ", "Cannot convert a.exe: unsupported file type"),
        ("noextension", b"", "unsupported file type"),
        ("a.json", b"{", "Cannot convert application/json: Expecting"),
        ("a.xml", b"<a>", "Cannot convert application/xml: no element found: line 1"),
        ("a.xml", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares the entity x"),
        ("a.xml", b"<a>" * 300, "nested more than 200 deep"),
        ("a.html", b"<div>" * 600, "nested more than 500 deep"),
        ("a.csv", b'"' + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_a_file_that_cannot_be_converted_is_an_error_among_the_results(
    name: str, content: bytes, told: str
) -> None:
    good = {"name": "g.txt", "data": b"ok"}

    results = convert([{"name": name, "data": content}, good], None)

    assert results[0]["format"] == "error"
    assert told in results[0]["error"]
    assert "data" not in results[0]
    assert results[1]["data"] == "ok"


@pytest.mark.parametrize("file", [None, {}, {"blob": b"x"}, [5]])
def test_a_value_that_is_not_a_file_is_refused(file: Any) -> None:
    with pytest.raises(WorkerError, match="needs a name and a blob"):
        convert(file, None)


def test_the_supported_formats_are_productions() -> None:
    formats = asyncio.run(new_ai().call("toMarkdownSupported", []))

    assert {"extension": ".pdf", "mimeType": "application/pdf"} in formats


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="<>/abph1 table tr td ul li \"'=&;!-\n", max_size=120))
def test_any_text_can_be_read_as_html(text: str) -> None:
    result = markdown("x.html", text.encode())

    assert result["format"] in ("markdown", "error")
