"""XML to Markdown: each element is an item of a nested list, attributes in brackets. Pure.

Entities that the document declares are refused: with them, a few lines could fill the memory.
"""

from __future__ import annotations

from xml.parsers import expat

DEPTH_MAX = 200
ATTRIBUTES_MAX = 5_000  # of one element; the parser reads them at once; 10,000 took 15 ms


class _Outline:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0
        self._text: list[str] = []
        self._can_follow = False  # whether text can be on the line of its element

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._end_text()
        if self._depth >= DEPTH_MAX:
            raise ValueError(f"elements are nested more than {DEPTH_MAX} deep")
        named = ", ".join(f"{name}: {value}" for name, value in attributes.items())
        shown = f" ({named})" if named else ""
        self.lines.append(f"{'  ' * self._depth}- **{tag}**{shown}")
        self._depth += 1
        self._can_follow = True

    def end(self, tag: str) -> None:
        self._end_text()
        self._depth -= 1
        self._can_follow = False

    def data(self, text: str) -> None:
        self._text.append(text)

    def _end_text(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text.clear()
        if text and self._can_follow:
            self.lines[-1] += f": {text}"
        elif text:
            self.lines.append(f"{'  ' * self._depth}- {text}")


def xml_to_markdown(content: bytes) -> str:
    """Return the outline of a document. Raises ValueError, with the line, if it is not XML."""
    if max(part.count(b"=") for part in content.split(b"<")) > ATTRIBUTES_MAX:
        raise ValueError(f"an element has more than {ATTRIBUTES_MAX:,} attributes")
    outline = _Outline()
    parser = expat.ParserCreate()
    parser.StartElementHandler = outline.start
    parser.EndElementHandler = outline.end
    parser.CharacterDataHandler = outline.data
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from None
    return "\n".join(outline.lines) + "\n"


def _refuse_entity(name: str, *rest: object) -> None:
    raise ValueError(f"it declares the entity {name}, which is not expanded here")
