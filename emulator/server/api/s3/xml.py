"""The XML of S3: answers from plain values, and the two bodies that its clients send."""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat
from xml.sax.saxutils import escape

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class NotXml(Exception):
    """It cannot be read, or has more in it than S3's bodies have."""


def document(root: str, content: object) -> bytes:
    """Return a document. A dict is elements by name, and a list one element for each item."""
    space = "" if root == "Error" else f' xmlns="{_NAMESPACE}"'
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root}{space}>{_inner(content)}</{root}>'
    return text.encode("utf-8", "replace")


def _inner(content: object) -> str:
    if isinstance(content, Mapping):
        return "".join(_element(name, each) for name, each in content.items() if each is not None)
    if isinstance(content, bool):
        return "true" if content else "false"
    return escape(str(content))


def _element(name: str, content: object) -> str:
    if isinstance(content, list):
        return "".join(_element(name, each) for each in content)
    return f"<{name}>{_inner(content)}</{name}>"


def items(body: bytes, name: str) -> list[dict[str, str]]:
    """Return the texts in each element `name` below the root, by the names of their elements.

    `<Delete><Object><Key>a</Key></Object></Delete>` -> `[{"Key": "a"}]`; texts directly below the
    root are the first item's, with the name of the root before them. Raises NotXml. No document may
    declare entities.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    path: list[str] = []
    found: list[dict[str, str]] = []
    text: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag.rpartition(" ")[2])
        text.clear()
        if len(path) == 2 and path[1] == name:
            found.append({})
        if len(path) > 4:
            raise NotXml("it is nested too deeply")

    def end(tag: str) -> None:
        if len(path) == 3 and path[1] == name:
            found[-1][path[2]] = "".join(text)
        path.pop()
        text.clear()

    def doctype(*declared: object) -> None:
        raise NotXml("it declares a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise NotXml(str(error)) from None
    return found


def flag(body: bytes, name: bytes) -> bool:
    """Whether an element of this name says true."""
    return b"<%s>true</%s>" % (name, name) in body
