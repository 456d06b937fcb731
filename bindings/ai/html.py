"""HTML to Markdown, as the conversion service does it. Pure.

Kept: title and description as front matter, headings, paragraphs, lists, tables, quotations, code,
emphasis, links (resolved against `<base>`), pictures' descriptions, JSON-LD at the end. Left out:
scripts, styles, `<head>`, `<header>`, `<footer>`, `<nav>`.
Source: docs/platform/workers-ai.md, "Markdown conversion".
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urljoin

from bindings.ai.html_tokens import Attributes, read_html

LEFT_OUT = frozenset(
    "script style template noscript iframe svg object header footer nav select textarea".split()
)
BLOCKS = frozenset(
    "p div section article main aside h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table tr blockquote pre "
    "figure figcaption form fieldset address hr details summary body html".split()
)
VOID = frozenset("br hr img input meta link base area col embed source track wbr".split())
META = ("description", "og:title", "og:description", "og:image")
EMPHASIS = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`", "del": "~~", "s": "~~"}
DEPTH_MAX = 500
LISTS_MAX = 50  # inside one another; each indents its content
CELLS_MAX = 1_000_000  # of one table, with the cells added to fill its rows


def html_to_markdown(text: str, hostname: str = "") -> str:
    """Return `text` as Markdown; relative links are resolved against `<base>` or `hostname`."""
    reader = _Reader(hostname)
    read_html(text, reader)
    return reader.markdown()


class _Line:
    """A block that is not finished, in pieces: adding to a text would copy the text each time."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def last(self) -> str:
        """The last character, or ""."""
        return self._pieces[-1][-1] if self._pieces else ""

    def add(self, text: str) -> None:
        if text:
            self._pieces.append(text)

    def take(self, start: int = 0) -> str:
        """Remove the pieces from `start` on, and return their text."""
        text = "".join(self._pieces[start:])
        del self._pieces[start:]
        return text


class _Reader:
    def __init__(self, hostname: str) -> None:
        self._base = hostname if "://" in hostname or not hostname else f"https://{hostname}"
        self._has_base = False
        self._open: list[str] = []
        self._open_count: Counter[str] = Counter()
        self._hidden = 0
        self._blocks: list[list[str]] = []  # each in pieces
        self._line = _Line()
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []  # the next number; None for bullets
        self._is_in_list = False  # whether the last block is the list of the current item
        self._meta: dict[str, str] = {}
        self._json_ld: list[str] = []
        self._capture: list[str] | None = None  # of <title>, or of JSON-LD
        self._rows: list[list[str]] | None = None

    def markdown(self) -> str:
        """Return what was read; elements that are still open end here."""
        while self._open:
            self._close(self._pop())
        self._flush()
        front = "\n".join(f"{name}: {value}" for name, value in self._meta.items())
        parts = [f"---\n{front}\n---"] if front else []
        parts += map("".join, self._blocks)
        parts += [f"```json\n{text}\n```" for text in self._json_ld]
        return "\n\n".join(parts) + "\n" if parts else ""

    def start(self, tag: str, attributes: Attributes) -> None:
        if self._read_metadata(tag, attributes):
            return
        if tag not in VOID:
            self._push(tag)
            if len(self._open) > DEPTH_MAX:
                raise ValueError(f"elements are nested more than {DEPTH_MAX} deep")
        if tag in LEFT_OUT:
            self._hidden += 1
        if self._hidden or self._capture is not None:
            return
        if tag in BLOCKS:
            self._start_block(tag)
        elif tag == "br":
            self._line.add("\n")
        elif tag == "img" and (attributes.get("alt") or attributes.get("src")):
            source = self._resolve(attributes.get("src", ""))
            self._line.add(f"![{attributes.get('alt', '')}]({source})")
        elif tag == "a" and attributes.get("href"):
            self._links.append((self._resolve(attributes["href"]), len(self._line)))
        elif tag in ("td", "th") and self._rows:
            self._line.take()
        elif tag in EMPHASIS and not self._open_count["pre"]:
            self._line.add(EMPHASIS[tag])

    def _push(self, name: str) -> None:
        self._open.append(name)
        self._open_count[name] += 1

    def _pop(self) -> str:
        name = self._open.pop()
        self._open_count[name] -= 1
        return name

    def _read_metadata(self, tag: str, given: Attributes) -> bool:
        """Read a tag that describes the page; return whether it was such a tag."""
        if tag == "title" and not self._open_count["svg"]:
            self._capture = []
            self._push(tag)
        elif tag == "script" and given.get("type", "").lower() == "application/ld+json":
            self._capture = []
            self._push("ld+json")
        elif tag == "meta":
            name = given.get("name") or given.get("property") or ""
            if name.lower() in META and given.get("content"):
                self._meta.setdefault(name.lower(), " ".join(given["content"].split()))
        elif tag == "base" and given.get("href") and not self._has_base:
            self._base, self._has_base = urljoin(self._base, given["href"]), True
        else:
            return False
        return True

    def _resolve(self, link: str) -> str:
        try:
            return urljoin(self._base, link.strip())
        except ValueError:  # not an address, such as "http://[": unchanged
            return link.strip()

    def _start_block(self, tag: str) -> None:
        self._flush()
        match tag:
            case "ul" | "ol":
                self._lists.append(None if tag == "ul" else 1)
                if len(self._lists) > LISTS_MAX:
                    raise ValueError(f"lists are nested more than {LISTS_MAX} deep")
            case "table":
                self._rows = []
            case "tr" if self._rows is not None:
                self._rows.append([])
            case "hr":
                self._blocks.append(["---"])

    def end(self, tag: str) -> None:
        name = "ld+json" if tag == "script" and "ld+json" in self._open[-1:] else tag
        if not self._open_count[name]:
            return
        while True:
            closed = self._pop()
            self._close(closed)
            if closed == name:
                return

    def _close(self, tag: str) -> None:
        if tag in ("title", "ld+json"):
            text = "".join(self._capture or []).strip()
            self._capture = None
            if tag == "title" and text:
                self._meta.setdefault("title", " ".join(text.split()))
            elif text:
                self._json_ld.append(text)
            return
        if tag in LEFT_OUT:
            self._hidden -= 1
        if self._hidden or self._capture is not None:
            return
        if tag == "a" and self._links:
            link, start = self._links.pop()
            shown = self._line.take(start).strip()
            self._line.add(f"[{shown}]({link})" if shown else "")
        elif tag in ("td", "th") and self._rows:
            cell = _tidy(self._line.take())
            self._rows[-1].append(cell.replace("|", "\\|").replace("\n", "<br>"))
        elif tag == "table":
            self._end_table()
        elif tag in EMPHASIS and not self._open_count["pre"]:
            self._line.add(EMPHASIS[tag])
        elif tag in BLOCKS:
            self._flush(tag)
            if tag in ("ul", "ol") and self._lists:
                self._lists.pop()
                self._is_in_list = self._is_in_list and bool(self._lists)

    def _end_table(self) -> None:
        rows = [row for row in self._rows or [] if row]
        self._rows = None
        self._line.take()
        if not rows:
            return
        width = max(map(len, rows))
        if width * len(rows) > CELLS_MAX:
            raise ValueError(f"a table of {width:,} columns and {len(rows):,} rows is too large")
        lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
        self._blocks.append(["\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])])

    def data(self, text: str) -> None:
        if self._capture is not None:
            self._capture.append(text)
        elif self._hidden or self._open[-1:] == ["head"]:
            return
        elif self._open_count["pre"]:
            self._line.add(text)
        else:
            space = " " if text[:1].isspace() and self._line.last not in ("", " ", "\n") else ""
            words = " ".join(text.split())
            end = " " if words and text[-1:].isspace() else ""
            self._line.add(space + words + end)

    def _flush(self, tag: str = "") -> None:
        """End the current block; `tag` closes it."""
        if self._rows is not None and tag != "table":
            return  # cells are kept until their row ends
        is_code = tag == "pre" or self._open_count["pre"] > 0
        text = self._line.take()
        text = text.strip("\n") if is_code else _tidy(text)
        self._links.clear()
        if not text.strip():
            return
        heading = re.fullmatch(r"h([1-6])", tag)
        if is_code:
            text = f"```\n{text.rstrip()}\n```"
        elif heading:
            text = f"{'#' * int(heading[1])} {text}"
        elif self._lists:
            self._add_item(text, is_item=tag == "li" or self._open[-1:] == ["li"])
            return
        if tag == "blockquote" or self._open_count["blockquote"]:
            text = "\n".join(f"> {line}" for line in text.splitlines())
        self._blocks.append([text])

    def _add_item(self, text: str, *, is_item: bool) -> None:
        number = self._lists[-1]
        indent = "  " * (len(self._lists) - 1)
        mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1
        line = indent + mark + text.replace("\n", f"\n{indent}  ")
        if self._is_in_list and is_item:
            self._blocks[-1].append(f"\n{line}")
        else:
            self._blocks.append([line])
        self._is_in_list = True


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
