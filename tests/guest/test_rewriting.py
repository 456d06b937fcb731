"""`HTMLRewriter` in a real guest: selectors, changes, text, comments, ends, async handlers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.guest.test_bindings import seen

SETUP = """
from js import HTMLRewriter, Response
from pyodide.ffi import create_proxy

async def rewritten(html, *handlers, document=None):
    rewriter = HTMLRewriter.new()
    for selector, handler in handlers:
        rewriter.on(selector, create_proxy(handler))
    if document is not None:
        rewriter.onDocument(create_proxy(document))
    return await rewriter.transform(Response.new(html)).text()

class On:
    def __init__(self, **methods):
        self.__dict__.update(methods)

"""


def out(folder: Path, code: str) -> Any:
    return seen(folder, SETUP + code, {})


CHANGES = {
    "before('<b>')": "&lt;b&gt;<p class=a>x</p>",
    "before('<b>', html=True)": "<b><p class=a>x</p>",
    "after('1').after('2')": "<p class=a>x</p>21",
    "prepend('1').append('2')": "<p class=a>1x2</p>",
    "setInnerContent('new')": "<p class=a>new</p>",
    "replace('<i></i>', {'html': True})": "<i></i>",
    "remove()": "",
    "removeAndKeepContent()": "x",
    "setAttribute('class', 'b').setAttribute('d', 1)": '<p class="b" d="1">x</p>',
    "removeAttribute('class')": "<p>x</p>",
}


def test_an_element_is_changed_in_every_way(tmp_path: Path) -> None:
    code = f"""
out = {{}}
for change in {list(CHANGES)!r}:
    handler = On(element=lambda e: eval(f"e.{{change}}", {{"e": e}}) and None)
    out[change] = await rewritten("<p class=a>x</p>", ("p", handler))
"""
    assert out(tmp_path, code) == CHANGES


HTML = (
    "<main id=m><p class='a b'>1</p><P data-x=One>2<br><i>3</i></p>"
    "<meta property='og:title' content=t></main>"
)
SELECTED = {
    "p": "p p",
    "*": "main p p br i meta",
    ".a": "p",
    "#m > p": "p p",
    "main i": "i",
    "main > i": "",
    "p[data-x]": "p",
    "[data-x='one' i]": "p",
    'meta[property^="og:"]': "meta",
    "p:nth-child(2), br": "p br",
    "p:not(.a)": "p",
    "p:first-child i, main > meta": "meta",
}


def test_selectors_match_by_element_and_ancestors(tmp_path: Path) -> None:
    code = f"""
out = {{}}
for selector in {list(SELECTED)!r}:
    found = []
    await rewritten({HTML!r}, (selector, On(element=lambda e: found.append(e.tagName))))
    out[selector] = " ".join(found)
"""
    assert out(tmp_path, code) == SELECTED


def test_text_comments_ends_and_the_document_are_told(tmp_path: Path) -> None:
    code = """
seen = []

async def text(piece):
    await asyncio.sleep(0)
    if not piece.lastInTextNode:
        piece.replace(piece.text.upper())

def ended(tag):
    seen.append(tag.name)
    tag.before("!")

class Document:
    def doctype(self, doctype):
        seen.append(doctype.name)

    def end(self, end):
        end.append("<!--end-->", html=True)

out = [await rewritten("<!DOCTYPE html><p>a<!--c--><b>b</b></p><script>1<2</script>z",
    ("p", On(text=text, comments=lambda c: setattr(c, "text", "d"),
             element=lambda e: e.onEndTag(create_proxy(ended)))), document=Document()), seen]
"""
    expected = "<!DOCTYPE html><p>A<!--d--><b>B</b>!</p><script>1<2</script>z<!--end-->"
    assert out(tmp_path, code) == [expected, ["html", "p"]]


@pytest.mark.parametrize("html", ["", "a < b", "<p", "<p>a</i></p", "<script>never closed"])
def test_broken_html_without_handlers_stays_as_it_is(tmp_path: Path, html: str) -> None:
    code = f"out = await rewritten({html!r}, ('p', On(element=lambda e: None)))"
    assert out(tmp_path, code) == html


def test_what_is_removed_is_not_looked_into_and_errors_reach_the_reader(tmp_path: Path) -> None:
    code = """
found = []
await rewritten("<div><p></p></div><p></p>", ("div", On(element=lambda e: e.remove() and None)),
                ("p", On(element=lambda e: found.append(1))))

def fails(element):
    raise LookupError("in a handler")

try:
    await rewritten("<p>", ("p", On(element=fails)))
except LookupError as error:
    out = [len(found), str(error)]
try:
    HTMLRewriter.new().on("p >", On())
except JsException as error:
    out.append(error.name)
"""
    assert out(tmp_path, code) == [1, "in a handler", "SyntaxError"]
