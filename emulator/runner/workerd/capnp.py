"""Text of a workerd configuration, from plain Python values. Pure.

A dict is a struct, a list a list, and a `Reference` the name of another constant. Text is escaped,
so that no value can leave its quotes.
Source: https://capnproto.org/language.html (constants).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, Union

from msgspec import Struct

Value: TypeAlias = Union[
    str, bool, int, "Reference", "Embedded", "Word", list["Value"], dict[str, "Value"]
]

_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in range(32)},
    **{ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"},
    **{ord('"'): '\\"', ord("\\"): "\\\\", 127: "\\x7f"},
}


class Reference(Struct, frozen=True):
    """Another constant of the same configuration."""

    name: str


class Word(Struct, frozen=True):
    """One of the words that an enumeration has."""

    text: str


class Embedded(Struct, frozen=True):
    """Bytes that need not be text. workerd reads many bytes faster beside the configuration."""

    content: bytes


Embed = Callable[[bytes], str]
"""Puts bytes where workerd finds them, and returns the name for `embed`."""


def document(constants: dict[str, tuple[str, Value]], embed: Embed) -> bytes:
    """Return a configuration: name -> type (`"Worker"`) and value of each constant.

    Text with lone surrogates, which UTF-8 cannot carry, gets question marks in their places.
    """
    lines = ['using Workerd = import "/workerd/workerd.capnp";']
    lines += [
        f"const {name} :Workerd.{kind} = {text(value, embed)};"
        for name, (kind, value) in constants.items()
    ]
    return "\n".join(lines).encode("utf-8", "replace")


def text(value: Value, embed: Embed) -> str:
    """Return a value as the configuration has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f'"{value.translate(_ESCAPES)}"'
        case Reference():
            return f".{value.name}"
        case Word():
            return value.text
        case Embedded():
            return f"embed {text(embed(value.content), embed)}"
        case list():
            return f"[{', '.join(text(item, embed) for item in value)}]"
        case dict():
            return f"({', '.join(f'{name} = {text(item, embed)}' for name, item in value.items())})"
