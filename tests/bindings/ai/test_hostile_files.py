"""Files that cost more than they weigh: each is converted or refused, and nothing stands still."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.ai.html_tokens import Attributes, read_html
from bindings.ai.markdown import convert
from emulator.errors import WorkerError

from ...growth import check_growth
from ...watchdog import loop_watch
from .calls import new_ai

UNITS = {
    "html": [
        *(
            "<!--",
            "<!",
            "<?",
            "<",
            "</",
            "<a ",
            "<a x='",
            "<a b=c ",
            "<p>a</p>",
            "<b>a</b>",
            "&lt;",
        ),
        *("<![CDATA[", "<script>", "</p>", "<br>", "<li>a</li>", "<a href=x>a</a>", " ", "a ", "x"),
        *(
            "<td>a</td>",
            "<tr><td>a</td></tr>",
            "<title>a</title>",
            "<meta name=description content=a>",
        ),
        *(
            "<img alt=a>",
            "&",
            "&#",
            "&#x41;",
            "<a/>",
            "<base href=a>",
            "<pre>a</pre>",
            "'",
            '"',
            "<h1>",
        ),
    ],
    "xml": [
        "<a/>",
        "<a>x</a>",
        "x",
        "&lt;",
        " ",
        "<!--x-->",
        "<?x?>",
        "<![CDATA[x]]>",
        "<a b='c'/>",
    ],
    "csv": [",", "\n", "a,b\n", '"', '""', '"a', "\r", ", ", "a", '"a"\n'],
    "json": ["[],", "1,", '"a",', "{},", " ", "[", '{"a":', "null,", "1e5,"],
    "txt": ["a", " ", "\n", "a "],
}
WRAPPED = {"xml": ("<r>", "</r>"), "json": ("[", "0]")}


def file_of(extension: str, text: str) -> dict[str, Any]:
    before, after = WRAPPED.get(extension, ("", ""))
    return {"name": f"a.{extension}", "data": f"{before}{text}{after}".encode()}


@pytest.mark.parametrize("extension", UNITS)
def test_converting_costs_in_step_with_the_file(extension: str) -> None:
    for unit in UNITS[extension]:
        for around in ("{}", "<table>{}", "<ul>{}", "<p>{}", "<a href=x>{}", "<pre>{}"):
            if extension == "html" or around == "{}":
                check_growth(
                    lambda file: convert(file, None),
                    lambda size, unit=unit, around=around: file_of(  # type: ignore[misc]
                        extension, around.format((unit * size)[:size])
                    ),
                )


HOSTILE: dict[str, tuple[str, str]] = {
    "comments": ("html", "<!--" * 100_000),
    "tags without an end": ("html", "<a b='" * 200_000),
    "one long line": ("html", "a " * 2_000_000),
    "one paragraph of pieces": ("html", "<p>" + "a<b>b</b>" * 60_000),
    "a list of a hundred thousand": ("html", "<ul>" + "<li>a" * 100_000),
    "lists in lists": ("html", "<ul>" * 400 + "<li>a</li>" * 100_000),
    "a wide row in a table": (
        "html",
        "<table><tr>" + "<td>a" * 8_000 + "</tr>" + "<tr><td>a</tr>" * 8_000,
    ),
    "elements in elements": ("html", "<i>" * 300_000),
    "references": ("html", "&lt;" * 500_000),
    "text in XML": ("xml", "<r>" + "&lt;" * 500_000 + "</r>"),
    "entities": ("xml", '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">]><r>&a;</r>'),
    "attributes": ("xml", "<r " + " ".join(f"a{n}='b'" for n in range(100_000)) + "/>"),
    "one wide row": ("csv", "," * 16_000 + "\n" + "a\n" * 8_000),
    "a row of commas": ("csv", "," * 9_000_000),
    "quotes": ("csv", '"' * 4_000_000),
    "lists in a list": ("json", "[" + "[]," * 49_000 + "0]"),
    "a million lists": ("json", "[" + "[]," * 1_000_000 + "0]"),
    "brackets": ("json", "[" * 1_000_000),
    "a large text": ("txt", "word " * 2_000_000),
    "a larger text": ("txt", "word " * 3_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_stops_while_a_file_is_converted(name: str) -> None:
    extension, text = HOSTILE[name]

    async def scenario() -> Any:
        ai = new_ai()
        small = {"name": f"a.{extension}", "data": b"0"}
        await ai.call("toMarkdown", [small, None])  # imports what it needs
        with loop_watch():
            found = await ai.call(
                "toMarkdown", [{"name": small["name"], "data": text.encode()}, None]
            )
        await ai.close()
        return found

    found = asyncio.run(scenario())

    assert found["format"] in ("markdown", "error")
    assert len(found.get("data", found.get("error", ""))) < 20 * len(text)


@pytest.mark.parametrize(
    ("extension", "text", "told"),
    [
        (
            "csv",
            "," * 16_000 + "\n" + "a\n" * 8_000,
            "a table of 16,001 columns and 8,001 rows has",
        ),
        ("json", "[" + "[]," * 60_000 + "0]", "it has more than 100,000 values"),
        ("xml", "<r " + "a='' " * 6_000 + "/>", "an element has more than 5,000 attributes"),
        ("csv", "," * 2_000_000, "it has more than 1,000,000 cells"),
        (
            "html",
            "a" * 5_000_000,
            "it has more than 4,194,304 bytes, the limit here",
        ),
        ("txt", "a" * 11_000_000, "it has more than 10,485,760 bytes"),
        ("html", "<ul>" * 60, "lists are nested more than 50 deep"),
    ],
)
def test_a_file_that_is_too_large_is_told(extension: str, text: str, told: str) -> None:
    found = convert({"name": f"a.{extension}", "data": text.encode()}, None)

    assert found["format"] == "error"
    assert f": {told}" in found["error"]


def test_a_hundred_thousand_files_are_refused() -> None:
    with pytest.raises(WorkerError, match="at most 1,000 files, and got 100,000"):
        convert([{"name": "a.txt", "data": b""}] * 100_000, None)


def test_an_unfinished_comment_or_tag_ends_the_document() -> None:
    texts = ["<p>a</p><!-- b", "<p>a</p><b c='d>e", "<p>a</p><b", "<p>a</p></b", "<p>a</p><!b"]

    for text in texts:
        assert convert({"name": "a.html", "data": text.encode()}, None)["data"] == "a\n"


class Told:
    """What a reader was told, texts joined."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def start(self, tag: str, attributes: Attributes) -> None:
        self.events.append((tag, attributes))

    def end(self, tag: str) -> None:
        self.events.append(tag)

    def data(self, text: str) -> None:
        if self.events and isinstance(self.events[-1], list):
            self.events[-1].append(text)
        else:
            self.events.append([text])


class Standard(HTMLParser):
    """The standard library's parser, which tells the same of a tidy document."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.told.start(tag, {name: value or "" for name, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        self.told.end(tag)

    def handle_data(self, data: str) -> None:
        self.told.data(data)


PIECES = st.sampled_from(
    [
        *(
            "<p>",
            "</p>",
            "<B>",
            "</b >",
            "<a href='x?a&amp;b'>",
            '<a  title="<" href=y>',
            "<br/>",
            "a",
        ),
        *(
            "<img alt=a src = b>",
            "<!-- <p> -->",
            "<!doctype html>",
            "&amp;",
            "&#65;",
            " ",
            "\n",
            "5 > 3",
        ),
        *(
            "<script>if (a < b) '<p>'</script>",
            "<style>p</style>",
            "<td\nid=1>",
            "<x-y>",
            "<hr / >",
            "é",
        ),
    ]
)


@given(st.lists(PIECES, max_size=12))
def test_a_tidy_document_is_read_as_the_standard_library_reads_it(parts: list[str]) -> None:
    text, ours, theirs = "".join(parts), Told(), Told()

    read_html(text, ours)
    parser = Standard(theirs)
    parser.feed(text)
    parser.close()

    def joined(told: Told) -> list[Any]:
        return ["".join(e) if isinstance(e, list) else e for e in told.events]

    assert joined(ours) == joined(theirs)
