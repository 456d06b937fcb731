"""The answer to a client when there is no reply: a page for browsers, plain text for others.

All text from user code is escaped, and the Content-Security-Policy allows only the page's own style
and script (`error_page_parts.py`). The page waits for the next load of code and then loads itself
again, unless the request was one that changes something. Without scripts, a page about code that
does not load reloads every few seconds.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace
from starlette.types import Scope, Send

from emulator.errors import EmulatorError
from emulator.runner.requests import HandlerError, LoadError
from emulator.server.error_page_parts import SCRIPT, STYLE, allowed
from emulator.server.excerpt import Excerpt, excerpt_of
from emulator.server.headers import RawHeaders, value_of
from emulator.server.http.connection import target_of

REFRESH_S = 2

_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src {allowed(STYLE)}; script-src {allowed(SCRIPT)}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'".encode(),
    ),
]
# Headers that are not shown: pages are sent around.
_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
# An editor opens a file from such an address. GROUNDFOG_EDITOR_URL has another one.
EDITOR_URL = "vscode://file{file}:{line}"

# The place of a frame in a Python or JavaScript traceback. The pattern for JavaScript is tried only
# where a word begins: at every letter, a message of 100 KB without a blank took a minute.
_PLACE = re.compile(
    r'File "[^"\n]+", line \d+|(?:\(|(?<![^\s()]))(?:file:///?)?[^\s()]+:\d+:\d+\)?'
)


class Serving(Struct, frozen=True):
    """What a page is told of the worker: its folder, and how often code was loaded."""

    project_dir: Path
    loads: int


class Report(Struct, frozen=True):
    title: str
    explanation: str
    traceback: str
    refresh: bool = False
    request: str = ""
    excerpt: Excerpt | None = None


def is_navigation(method: str, headers: RawHeaders) -> bool:
    """Return whether a person opens this in a browser, and not a program."""
    if not wants_html(headers):
        return False
    mode = value_of(headers, b"sec-fetch-mode")
    return mode == b"navigate" if mode is not None else method == "GET"


def wants_html(headers: RawHeaders) -> bool:
    """Return whether the client accepts text/html by name."""
    return b"text/html" in (value_of(headers, b"accept") or b"").lower()


async def send(
    error: EmulatorError,
    scope: Scope,
    send: Send,
    serving: Serving | None = None,
    *,
    still_serving: bool = False,
) -> None:
    """Answer 500 with what happened. `still_serving`: an older generation serves other clients."""
    method, target = scope["method"], target_of(scope)
    headers, body = answer(
        error, method, target, scope["headers"], serving, still_serving=still_serving
    )
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer(
    error: EmulatorError,
    method: str,
    target: str,
    headers: RawHeaders,
    serving: Serving | None = None,
    *,
    still_serving: bool,
) -> tuple[RawHeaders, bytes]:
    """Return headers and body of the answer to such a request; the length is left out."""
    report = _report(error, f"{method} {target}", still_serving)
    if wants_html(headers):
        excerpt = excerpt_of(report.traceback, serving.project_dir) if serving else None
        shown = _request_text(f"{method} {target}", headers)
        report = replace(report, request=shown, excerpt=excerpt)
        loads = serving.loads if serving and method == "GET" else None
        media, text = b"text/html; charset=utf-8", as_html(report, method == "GET", loads)
    else:
        media, text = b"text/plain; charset=utf-8", as_text(report)
    # A message of user code may have a lone surrogate, which UTF-8 cannot encode.
    return [(b"content-type", media), *_HEADERS], text.encode("utf-8", "backslashreplace")


def as_text(report: Report) -> str:
    """Return the report for a terminal: explanation, then the traceback or the title."""
    return f"{report.explanation}\n\n{(report.traceback or report.title).rstrip()}\n"


def as_html(report: Report, may_refresh: bool, loads: int | None = None) -> str:
    """Return the report as a whole HTML document. loads: see `Serving`; None does not reload."""
    refresh = ""
    if report.refresh and may_refresh:
        refresh = f'<noscript><meta http-equiv="refresh" content="{REFRESH_S}"></noscript>'
    traceback = f"<pre>{_marked(report.traceback.rstrip())}</pre>" if report.traceback else ""
    request = f"<pre>{html.escape(report.request)}</pre>" if report.request else ""
    if request:
        request = f"<details><summary>Request</summary>{request}</details>"
    excerpt = "" if report.excerpt is None else _excerpt_html(report.excerpt)
    copied = html.escape(f"{report.title}\n\n{as_text(report)}\n{report.request}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">{refresh}'
        f"<title>{html.escape(report.title)}</title><style>{STYLE}</style></head>"
        f'<body data-loads="{"" if loads is None else loads}"><main>'
        f"<h1>{html.escape(report.title)}</h1>"
        f"<p>{html.escape(report.explanation)}</p>{excerpt}{traceback}{request}"
        f'<p><button id="copy" hidden>Copy</button></p><pre id="report" hidden>{copied}</pre>'
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _excerpt_html(excerpt: Excerpt) -> str:
    """Return lines of source with their numbers, below a link that opens the file in an editor."""
    place = html.escape(f"{excerpt.file}:{excerpt.line}")
    template = os.environ.get("GROUNDFOG_EDITOR_URL", EDITOR_URL)
    url = template.replace("{file}", quote(str(excerpt.path))).replace("{line}", str(excerpt.line))
    width = len(str(excerpt.first + len(excerpt.lines)))
    shown = []
    for number, line in enumerate(excerpt.lines, excerpt.first):
        text = f"<i>{number:>{width}} </i>{html.escape(line)}"
        shown.append(f"<mark>{text}</mark>" if number == excerpt.line else text)
    lines = "\n".join(shown)
    return f'<p><a href="{html.escape(url)}">{place}</a></p><pre>{lines}</pre>'


def _request_text(line: str, headers: RawHeaders) -> str:
    """Return a request as text: its line and its headers, without those that are secret."""
    shown = [
        f"{name.decode('latin-1')}: {'(hidden)' if name in _SECRET else value.decode('latin-1')}"
        for name, value in headers
    ]
    return "\n".join([line, *shown])


def _report(error: EmulatorError, request: str, still_serving: bool) -> Report:
    match error:
        case LoadError():
            line = f":{error.line}" if error.line else ""
            place = f" ({error.file}{line})" if error.file else ""
            serving = (
                "Programs still get answers from the code saved before."
                if still_serving
                else "Nothing is served until the code is repaired."
            )
            return Report(
                title=str(error),
                explanation=f"Your worker's code could not be loaded{place}. {serving} "
                "Save the file to try again.",
                traceback=error.traceback,
                refresh=True,
            )
        case HandlerError():
            return Report(
                title=str(error),
                explanation=f"Your worker raised this and did not catch it, in {request}.",
                traceback=error.traceback,
            )
        case _:
            return Report(
                title=str(error),
                explanation=f"Your worker could not answer {request}.",
                traceback="",
            )


def _marked(traceback: str) -> str:
    """Return `traceback` escaped, with each place (file and line) emphasised."""
    parts: list[str] = []
    end = 0
    for match in _PLACE.finditer(traceback):
        parts.append(html.escape(traceback[end : match.start()]))
        parts.append(f"<b>{html.escape(match.group())}</b>")
        end = match.end()
    return "".join(parts) + html.escape(traceback[end:])
