"""`HTMLRewriter`: handlers of the user's change the elements, text and comments of a response.

The document is read whole before it is changed. Source:
https://developers.cloudflare.com/workers/runtime-apis/html-rewriter/.
"""

from __future__ import annotations

import html
import inspect
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ...streams import ReadableStream
from ..jsobject import JsObject
from ..jsproxy import JsArrayProxy, JsProxy, call_with, plain
from ..jstext import js_text
from .functions import python_of
from .messages import Response
from .selectors import Test, compile_selector

_TOKEN = re.compile(
    r"<!--(?P<comment>.*?)-->|<!(?P<doctype>doctype[^>]*)>|</(?P<end>[a-z][^\s/>]*)[^>]*>"
    r"|<(?P<start>[a-z][^\s/>]*)(?P<attributes>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s=/\"'>][^\s=/>]*)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+))?")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_TEXT_ONLY = frozenset("script style textarea title xmp iframe noembed noframes".split())


class _Content(JsObject):
    """A piece of the document. What is put around it is text, or HTML with `html=True`."""

    def __init__(self) -> None:
        self._before: list[str] = []
        self._after: list[str] = []
        self.removed = False

    def before(self, content: Any, options: Any = None, **keywords: Any) -> Any:
        """Put something before it."""
        self._before.append(_written(content, options, keywords))
        return self

    def after(self, content: Any, options: Any = None, **keywords: Any) -> Any:
        """Put something after it; what comes last stands next to it."""
        self._after.insert(0, _written(content, options, keywords))
        return self

    def replace(self, content: Any, options: Any = None, **keywords: Any) -> Any:
        """Put something in its place."""
        self._after.insert(0, _written(content, options, keywords))
        return self.remove()

    def remove(self) -> Any:
        """Leave it out."""
        self.removed = True
        return self

    def _around(self, own: str) -> str:
        inner = "" if self.removed else own
        return "".join((*self._before, inner, *self._after))


class Text(_Content):
    """A piece of text. The last one of a text is empty."""

    def __init__(self, text: str, last: bool) -> None:
        super().__init__()
        self.text, self.lastInTextNode = text, last


class Comment(_Content):
    """A comment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Doctype(JsObject):
    """The doctype."""

    def __init__(self, name: str) -> None:
        self.name = name


class EndTag(_Content):
    """The end tag of an element."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Element(_Content):
    """An element: its start tag, and what stands in it and around it."""

    def __init__(self, raw: str, name: str, attributes: str, parent: Element | None) -> None:
        super().__init__()
        self.name = self.tagName = name
        self.namespaceURI = "http://www.w3.org/1999/xhtml"
        self.parent, self.place, self.place_of_type = parent, 1, 1
        self.counts: Counter[str] = Counter()  # of its children, by name, and "" for all
        self.tests: list[tuple[Any, str]] = []
        self.inner: str | None = None  # what stands in place of its content
        self.keeps_content = False
        self.ends: list[Any] = []
        self._raw, self._changed = raw, False
        self._pairs = [(key, _value(value)) for key, value in _ATTRIBUTE.findall(attributes)]
        self._prepended: list[str] = []
        self._appended: list[str] = []

    def attribute(self, name: str) -> str | None:
        """Return the value of an attribute; None if there is none."""
        return next((v for key, v in self._pairs if key.lower() == name.lower()), None)

    getAttribute = attribute  # JavaScript's name

    def hasAttribute(self, name: str) -> bool:  # JavaScript's name
        """Whether an attribute is there."""
        return self.attribute(name) is not None

    def setAttribute(self, name: str, value: Any) -> Element:  # JavaScript's name
        """Set an attribute."""
        kept = [(key, old) for key, old in self._pairs if key.lower() != name.lower()]
        self._pairs, self._changed = [*kept, (name, js_text(value))], True
        return self

    def removeAttribute(self, name: str) -> Element:  # JavaScript's name
        """Remove an attribute."""
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]
        self._changed = True
        return self

    @property
    def attributes(self) -> Iterator[Any]:
        """Pairs of names and values."""
        return (JsArrayProxy(list(pair), "an attribute") for pair in self._pairs)

    def prepend(self, content: Any, options: Any = None, **keywords: Any) -> Element:
        """Put something at the start of its content."""
        self._prepended.insert(0, _written(content, options, keywords))
        return self

    def append(self, content: Any, options: Any = None, **keywords: Any) -> Element:
        """Put something at the end of its content."""
        self._appended.append(_written(content, options, keywords))
        return self

    def setInnerContent(self, content: Any, options: Any = None, **keywords: Any) -> Element:
        """Put something in place of its content."""
        self.inner = _written(content, options, keywords)
        return self

    def removeAndKeepContent(self) -> Element:  # JavaScript's name
        """Leave its tags out."""
        self.keeps_content = True
        return self

    def onEndTag(self, function: Any) -> None:  # JavaScript's name
        """Call `function(endTag)` at its end."""
        self.ends.append(function)

    def start(self) -> str:
        """Return what stands at its start."""
        raw = self._raw
        if self._changed or self.tagName != self.name:
            pairs = "".join(f' {key}="{v.replace(chr(34), "&quot;")}"' for key, v in self._pairs)
            raw = f"<{self.tagName}{pairs}>"
        before, shown = "".join(self._before), "" if self.keeps_content else raw
        if self.removed:
            return before
        return f"{before}{shown}{''.join(self._prepended)}{self.inner or ''}"

    def end(self, tag: EndTag, raw: str) -> str:
        """Return what stands at its end."""
        after = "".join(self._after)
        if self.removed:
            return after
        raw = f"</{self.tagName}>" if self.tagName != self.name else raw
        tag.removed = tag.removed or self.keeps_content
        return f"{''.join(self._appended)}{tag._around(raw)}{after}"


class HTMLRewriter(JsObject):
    """Rewrites documents."""

    def __init__(self) -> None:
        self._elements: list[tuple[Test, Any]] = []
        self._documents: list[Any] = []

    def on(self, selector: str, handler: Any) -> HTMLRewriter:
        """Call a handler's `element`, `text` and `comments` for what a selector matches."""
        self._elements.append((compile_selector(selector), handler))
        return self

    def onDocument(self, handler: Any) -> HTMLRewriter:  # JavaScript's name
        """Call a handler's `doctype`, `text`, `comments` and `end` for the document."""
        self._documents.append(handler)
        return self

    def transform(self, response: Any) -> Response:
        """Return a response whose body is rewritten as it is read."""
        answer = response if isinstance(response, Response) else Response.of(response)
        rewriting = _Rewriting(self._elements, self._documents)
        body = ReadableStream(rewriting.run(answer))
        headers = [(k, v) for k, v in answer.headers if k not in ("content-length",)]
        return Response(body, status=answer.status, headers=headers)


class _Rewriting:
    """One document."""

    def __init__(self, elements: list[tuple[Test, Any]], documents: list[Any]) -> None:
        self._elements, self._documents = elements, documents
        self._open: list[Element] = []
        self._root: Counter[str] = Counter()
        self._hidden: Element | None = None  # the element whose content is left out

    async def run(self, response: Response) -> AsyncIterator[str]:
        """Yield the pieces of the rewritten document."""
        text, place = str(await response.text()), 0
        while place < len(text):
            token = self._next(text, place)
            until = len(text) if token is None else token.start()
            if until > place:
                yield await self._text(text[place:until])
            if token is None:
                break
            yield await self._token(token)
            place = token.end()
        end = _Content()
        for handler in self._documents:
            await _call(handler, "end", _DocumentEnd(end))
        yield end._around("")

    def _next(self, text: str, place: int) -> re.Match[str] | None:
        if self._open and self._open[-1].name in _TEXT_ONLY:
            found = re.compile(rf"</(?={self._open[-1].name}[\s/>])", re.I).search(text, place)
            return None if found is None else _TOKEN.match(text, found.start())
        return _TOKEN.search(text, place)

    async def _token(self, token: re.Match[str]) -> str:
        if token["start"] is not None:
            return await self._start(token[0], token["start"].lower(), token["attributes"])
        if token["end"] is not None:
            return await self._end(token[0], token["end"].lower())
        if self._hidden is not None:
            return ""
        if token["comment"] is not None:
            comment = Comment(token["comment"])
            await self._tell("comments", comment)
            return comment._around(f"<!--{comment.text}-->")
        for handler in self._documents:
            await _call(handler, "doctype", Doctype(token["doctype"].split()[-1].lower()))
        return token[0]

    async def _start(self, raw: str, name: str, attributes: str) -> str:
        parent = self._open[-1] if self._open else None
        element = Element(raw, name, attributes.rstrip("/"), parent)
        counts = self._root if parent is None else parent.counts
        counts.update((name, ""))
        element.place, element.place_of_type = counts[""], counts[name]
        shown = ""
        if self._hidden is None:
            for test, handler in self._elements:
                if test(element):
                    await _call(handler, "element", element)
            shown = element.start()
        if name in _VOID or attributes.endswith("/") and name not in _TEXT_ONLY:
            return shown + "".join(element._after) if self._hidden is None else ""
        self._open.append(element)
        if self._hidden is None and (element.removed or element.inner is not None):
            self._hidden = element
        return shown

    async def _end(self, raw: str, name: str) -> str:
        if not any(element.name == name for element in self._open):
            return "" if self._hidden is not None else raw
        element = self._open.pop()
        while element.name != name:
            self._hidden = None if element is self._hidden else self._hidden
            element = self._open.pop()
        if self._hidden not in (None, element):
            return ""
        self._hidden, tag = None, EndTag(name)
        for function in element.ends:
            await _settle(call_with(function, tag))
        return element.end(tag, raw)

    async def _text(self, text: str) -> str:
        if self._hidden is not None:
            return ""
        pieces = (Text(text, False), Text("", True))
        for piece in pieces:
            await self._tell("text", piece)
        return "".join(piece._around(piece.text) for piece in pieces)

    async def _tell(self, method: str, content: Any) -> None:
        """Call the handlers of all open elements, and of the document."""
        for test, handler in self._elements:
            if any(test(element) for element in self._open):
                await _call(handler, method, content)
        for handler in self._documents:
            await _call(handler, method, content)


class _DocumentEnd(JsObject):
    """The end of the document."""

    def __init__(self, content: _Content) -> None:
        self._content = content

    def append(self, content: Any, options: Any = None, **keywords: Any) -> Any:
        """Put something at the end."""
        self._content.before(content, options, **keywords)
        return self


async def _call(handler: Any, method: str, *arguments: Any) -> None:
    own = plain(handler) if isinstance(handler, JsProxy) else handler
    own = python_of(own)
    function = own.get(method) if isinstance(own, dict) else getattr(own, method, None)
    if function is not None:
        await _settle(call_with(function, *arguments))


async def _settle(result: Any) -> None:
    if inspect.isawaitable(result):
        await result


def _written(content: Any, options: Any, keywords: dict[str, Any]) -> str:
    chosen = plain(options) if isinstance(options, JsProxy) else options or {}
    is_html = bool({**chosen, **keywords}.get("html", False))
    text = js_text(content)
    return text if is_html else html.escape(text, quote=False)


def _value(raw: str) -> str:
    return raw[1:-1] if raw[:1] in ("'", '"') else raw
