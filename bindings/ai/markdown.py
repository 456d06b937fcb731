"""`toMarkdown`: files to Markdown, for formats that need no model and no office suite. Pure.

Text, Markdown, HTML, XML, CSV and JSON are converted. For a picture, the answer is the description
of the stub's vision models. For PDF and office documents it is production's answer to a file that
it cannot convert: `format: "error"`.
Source: docs/platform/workers-ai.md, "Markdown conversion".
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bindings.ai.binary import to_bytes
from bindings.ai.errors import internal
from bindings.ai.html import html_to_markdown
from bindings.ai.language import count_tokens
from bindings.ai.vision import describe
from bindings.ai.xml import xml_to_markdown
from emulator.errors import WorkerError

Options = Mapping[str, Any]

FILES_MAX = 1_000
FILE_MAX_BYTES = 10 * 1024 * 1024
PARSED_MAX_BYTES = 4 * 1024 * 1024  # of formats that are read as a whole: HTML, XML, JSON
JSON_VALUES_MAX = 100_000  # they are read at once: about 50 ms
CELLS_MAX = 1_000_000  # of a table, with the cells added to fill its rows

# Every format production converts, in its order.
# Source: https://developers.cloudflare.com/workers-ai/features/markdown-conversion/supported-formats/.
SUPPORTED: tuple[tuple[str, str], ...] = (
    (".pdf", "application/pdf"),
    (".jpeg", "image/jpeg"),
    (".jpg", "image/jpeg"),
    (".png", "image/png"),
    (".webp", "image/webp"),
    (".svg", "image/svg+xml"),
    (".html", "text/html"),
    (".htm", "text/html"),
    (".xml", "application/xml"),
    (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (".xlsm", "application/vnd.ms-excel.sheet.macroenabled.12"),
    (".xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    (".xls", "application/vnd.ms-excel"),
    (".et", "application/vnd.ms-excel"),
    (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (".ods", "application/vnd.oasis.opendocument.spreadsheet"),
    (".odt", "application/vnd.oasis.opendocument.text"),
    (".csv", "text/csv"),
    (".numbers", "application/vnd.apple.numbers"),
)
_BY_EXTENSION = dict(SUPPORTED) | {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
}
_PARSED = ("text/html", "application/xml", "application/json")
_GENERIC = ("", "application/octet-stream")


def supported() -> list[dict[str, str]]:
    """Return production's list of formats, `{extension, mimeType}`."""
    return [{"extension": extension, "mimeType": kind} for extension, kind in SUPPORTED]


def convert(files: Any, options: Any) -> Any:
    """Return a result for each of `{name, blob | data, mimeType?}`: a list for a list.

    `{id, name, mimeType, format: "markdown" | "text", tokens, data}`, or `{…, format: "error",
    error}`. Raises WorkerError if the argument is not a file or a list of files.
    """
    wanted = options if isinstance(options, Mapping) else {}
    conversion = wanted.get("conversionOptions")
    chosen = conversion if isinstance(conversion, Mapping) else {}
    if isinstance(files, list):
        if len(files) > FILES_MAX:
            raise internal(f"toMarkdown takes at most {FILES_MAX:,} files, and got {len(files):,}")
        return [_convert_one(file, chosen) for file in files]
    return _convert_one(files, chosen)


def _convert_one(file: Any, options: Options) -> dict[str, Any]:
    if not isinstance(file, Mapping) or not isinstance(file.get("name"), str):
        raise internal("Each file of toMarkdown needs a name and a blob")
    name = file["name"]
    kind = _mime_type(name, str(file.get("mimeType") or ""))
    most = PARSED_MAX_BYTES if kind in _PARSED else FILE_MAX_BYTES
    data = file.get("data")
    # Four letters of base64 are three bytes; each item of a list is one byte.
    size = len(data) * 3 // 4 if isinstance(data, str) else len(data or ())
    content = to_bytes(data, "data") if size <= most else b""
    digest = hashlib.blake2b(
        name.encode(errors="replace") + b"\0" + content, digest_size=16
    ).digest()
    head = {"id": str(uuid.UUID(bytes=digest, version=4)), "name": name, "mimeType": kind}
    if size > most:
        why = f"it has more than {most:,} bytes, the limit here"
        return {**head, "format": "error", "error": f"Cannot convert {kind or name}: {why}"}
    converter = _CONVERTERS.get(kind)
    if converter is None:
        known = kind in _BY_EXTENSION.values()
        why = "Groundfog does not convert it" if known else "unsupported file type"
        return {**head, "format": "error", "error": f"Cannot convert {kind or name}: {why}"}
    try:
        text = converter(content, options)
    except (ValueError, csv.Error, RecursionError) as error:
        return {**head, "format": "error", "error": f"Cannot convert {kind}: {error}"}
    except WorkerError as error:
        return {**head, "format": "error", "error": error.message}
    output = options.get("output")
    is_text = isinstance(output, Mapping) and output.get("format") == "text"
    shown = "text" if is_text else "markdown"
    return {**head, "format": shown, "tokens": count_tokens(text), "data": text}


def _mime_type(name: str, given: str) -> str:
    given = given.partition(";")[0].strip().lower()
    if given in _GENERIC:
        dot = name.rfind(".")
        return _BY_EXTENSION.get(name[dot:].lower(), "") if dot >= 0 else ""
    return {"text/xml": "application/xml", "application/xhtml+xml": "text/html"}.get(given, given)


def _decode(content: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding)
    return content.decode("utf-8-sig", errors="replace")


def _plain(content: bytes, options: Options) -> str:
    return _decode(content)


def _html(content: bytes, options: Options) -> str:
    chosen = options.get("html")
    hostname = chosen.get("hostname") if isinstance(chosen, Mapping) else None
    if isinstance(chosen, Mapping) and chosen.get("cssSelector"):
        raise ValueError("the option html.cssSelector is not emulated; leave it out to run locally")
    return html_to_markdown(_decode(content), str(hostname or ""))


def _xml(content: bytes, options: Options) -> str:
    return xml_to_markdown(content)


def _json(content: bytes, options: Options) -> str:
    text = _decode(content)
    if sum(map(text.count, ",[{")) > JSON_VALUES_MAX:
        raise ValueError(f"it has more than {JSON_VALUES_MAX:,} values")
    value = json.loads(text)
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```\n"


def _csv(content: bytes, options: Options) -> str:
    text = _decode(content)
    if text.count(",") > CELLS_MAX:
        raise ValueError(f"it has more than {CELLS_MAX:,} cells")
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if not rows:
        return ""
    width = max(map(len, rows))
    if width * len(rows) > CELLS_MAX:
        raise ValueError(
            f"a table of {width:,} columns and {len(rows):,} rows has more than {CELLS_MAX:,} cells"
        )
    cells = [[_cell(cell) for cell in [*row, *[""] * (width - len(row))]] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]]) + "\n"


def _cell(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>")


def _picture(content: bytes, options: Options) -> str:
    return describe({"image": content}) + "\n"


_CONVERTERS: dict[str, Callable[[bytes, Options], str]] = {
    "text/plain": _plain,
    "text/markdown": _plain,
    "text/html": _html,
    "application/xml": _xml,
    "application/json": _json,
    "text/csv": _csv,
    "image/png": _picture,
    "image/jpeg": _picture,
    "image/webp": _picture,
}
