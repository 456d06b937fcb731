"""HTML to Markdown, as the conversion service does it. Pure.

Kept: title and description as front matter, headings, paragraphs, lists, tables, quotations, code,
emphasis, links (resolved against `<base>`), pictures' descriptions, JSON-LD at the end. Left out:
scripts, styles, `<head>`, `<header>`, `<footer>`, `<nav>`.
Source: developers.cloudflare.com/workers-ai/features/markdown-conversion/how-it-works.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

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


def html_to_markdown(text: str, hostname: str = "") -> str:
    """Return `text` as Markdown; relative links are resolved against `<base>` or `hostname`."""
    reader = _Reader(hostname)
    reader.feed(text)
    reader.close()
    return reader.markdown()


class _Reader(HTMLParser):
    def __init__(self, hostname: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base = hostname if "://" in hostname or not hostname else f"https://{hostname}"
        self._has_base = False
        self._open: list[str] = []
        self._hidden = 0
        self._blocks: list[str] = []
        self._line = ""
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []  # the next number; None for bullets
        self._is_in_list = False  # whether the last block is the list that an item belongs to
        self._meta: dict[str, str] = {}
        self._json_ld: list[str] = []
        self._capture: list[str] | None = None  # of <title>, or of JSON-LD
        self._rows: list[list[str]] | None = None

    def markdown(self) -> str:
        """Return what was read; what was left open ends here."""
        while self._open:
            self._close(self._open.pop())
        self._flush()
        front = "\n".join(f"{name}: {value}" for name, value in self._meta.items())
        parts = [f"---\n{front}\n---"] if front else []
        parts += self._blocks
        parts += [f"```json\n{text}\n```" for text in self._json_ld]
        return "\n\n".join(parts) + "\n" if parts else ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._read_metadata(tag, given):
            return
        if tag not in VOID:
            self._open.append(tag)
            if len(self._open) > DEPTH_MAX:
                raise ValueError(f"elements are nested more than {DEPTH_MAX} deep")
        if tag in LEFT_OUT:
            self._hidden += 1
        if self._hidden or self._capture is not None:
            return
        if tag in BLOCKS:
            self._start_block(tag)
        elif tag == "br":
            self._line += "\n"
        elif tag == "img" and (given.get("alt") or given.get("src")):
            self._line += f"![{given.get('alt', '')}]({self._resolve(given.get('src', ''))})"
        elif tag == "a" and given.get("href"):
            self._links.append((self._resolve(given["href"]), len(self._line)))
        elif tag in ("td", "th") and self._rows:
            self._line = ""
        elif tag in EMPHASIS and "pre" not in self._open:
            self._line += EMPHASIS[tag]

    def _read_metadata(self, tag: str, given: dict[str, str]) -> bool:
        """Take in what describes the page; return whether the tag was of that kind."""
        if tag == "title" and "svg" not in self._open:
            self._capture = []
            self._open.append(tag)
        elif tag == "script" and given.get("type", "").lower() == "application/ld+json":
            self._capture = []
            self._open.append("ld+json")
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
        except ValueError:  # an address that is none, such as "http://[": left as it is
            return link.strip()

    def _start_block(self, tag: str) -> None:
        self._flush()
        match tag:
            case "ul":
                self._lists.append(None)
            case "ol":
                self._lists.append(1)
            case "table":
                self._rows = []
            case "tr" if self._rows is not None:
                self._rows.append([])
            case "hr":
                self._blocks.append("---")

    def handle_endtag(self, tag: str) -> None:
        name = "ld+json" if tag == "script" and "ld+json" in self._open[-1:] else tag
        if name not in self._open:
            return
        while True:
            closed = self._open.pop()
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
            start = min(start, len(self._line))
            shown = self._line[start:].strip()
            self._line = self._line[:start] + (f"[{shown}]({link})" if shown else "")
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append(_tidy(self._line).replace("|", "\\|").replace("\n", "<br>"))
            self._line = ""
        elif tag == "table":
            self._end_table()
        elif tag in EMPHASIS and "pre" not in self._open:
            self._line += EMPHASIS[tag]
        elif tag in BLOCKS:
            self._flush(tag)
            if tag in ("ul", "ol") and self._lists:
                self._lists.pop()
                self._is_in_list = self._is_in_list and bool(self._lists)

    def _end_table(self) -> None:
        rows = [row for row in self._rows or [] if row]
        self._rows, self._line = None, ""
        if not rows:
            return
        width = max(map(len, rows))
        lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
        self._blocks.append("\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]]))

    def handle_data(self, data: str) -> None:
        if self._capture is not None:
            self._capture.append(data)
        elif self._hidden or self._open[-1:] == ["head"]:
            return
        elif "pre" in self._open:
            self._line += data
        else:
            space = " " if data[:1].isspace() and self._line[-1:] not in ("", " ", "\n") else ""
            words = " ".join(data.split())
            end = " " if words and data[-1:].isspace() else ""
            self._line += space + words + end

    def _flush(self, tag: str = "") -> None:
        """End the block in the making; `tag` is what closes it."""
        if self._rows is not None and tag != "table":
            return  # cells are kept until their row ends
        is_code = tag == "pre" or "pre" in self._open
        text = self._line.strip("\n") if is_code else _tidy(self._line)
        self._line = ""
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
        if "blockquote" in (*self._open, tag):
            text = "\n".join(f"> {line}" for line in text.splitlines())
        self._blocks.append(text)

    def _add_item(self, text: str, *, is_item: bool) -> None:
        number = self._lists[-1]
        indent = "  " * (len(self._lists) - 1)
        mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1
        line = indent + mark + text.replace("\n", f"\n{indent}  ")
        if self._is_in_list and is_item:
            self._blocks[-1] += f"\n{line}"
        else:
            self._blocks.append(line)
        self._is_in_list = True


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
