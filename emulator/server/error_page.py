"""The answer to a client when there is no reply: a page for browsers, plain text for others.

The page is one document without scripts and without requests to anywhere. All text from user code
is escaped, and the Content-Security-Policy allows only the page's own style. A page about code that
does not load reloads itself every few seconds. A page about a handler that raised does not, because
a reload would run the handler again.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass

from starlette.types import Scope, Send

from emulator.errors import EmulatorError
from emulator.runner.requests import HandlerError, LoadError
from emulator.server.headers import RawHeaders, value_of
from emulator.server.http.connection import target_of

REFRESH_S = 2

_STYLE = """
:root{color-scheme:light dark;--ground:#fbfaf8;--ink:#22252b;--soft:#6a6f78;--mark:#b3261e;
--panel:#f1efeb;--line:#dcd8d1}
@media(prefers-color-scheme:dark){:root{--ground:#16181d;--ink:#e4e5e8;--soft:#969ca8;
--mark:#ff8a80;--panel:#1f2229;--line:#343944}}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:3rem 1.5rem}
h1{margin:.25rem 0 .5rem;font-size:1.6rem;line-height:1.25;color:var(--mark);
overflow-wrap:anywhere;white-space:pre-wrap}
p{margin:.5rem 0;color:var(--soft);overflow-wrap:anywhere}
pre{margin:1.5rem 0;padding:1rem 1.25rem;overflow-x:auto;background:var(--panel);
border:1px solid var(--line);border-radius:8px;font:14px/1.55 ui-monospace,Menlo,Consolas,monospace}
pre b{color:var(--mark)}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'".encode(),
    ),
]

# The place of a frame in a Python or JavaScript traceback. The pattern for JavaScript is tried only
# where a word begins: at every letter, a message of 100 KB without a blank took a minute.
_PLACE = re.compile(
    r'File "[^"\n]+", line \d+|(?:\(|(?<![^\s()]))(?:file:///?)?[^\s()]+:\d+:\d+\)?'
)


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    explanation: str
    traceback: str
    refresh: bool = False


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
    error: EmulatorError, scope: Scope, send: Send, *, still_serving: bool = False
) -> None:
    """Answer 500 with what happened. `still_serving`: an older generation serves other clients."""
    method, target = scope["method"], target_of(scope)
    headers, body = answer(error, method, target, scope["headers"], still_serving=still_serving)
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer(
    error: EmulatorError, method: str, target: str, headers: RawHeaders, *, still_serving: bool
) -> tuple[RawHeaders, bytes]:
    """Return headers and body of the answer to such a request; the length is left out."""
    report = _report(error, f"{method} {target}", still_serving)
    if wants_html(headers):
        media, text = b"text/html; charset=utf-8", as_html(report, method == "GET")
    else:
        media, text = b"text/plain; charset=utf-8", as_text(report)
    # A message of user code may have a lone surrogate, which UTF-8 cannot encode.
    return [(b"content-type", media), *_HEADERS], text.encode("utf-8", "backslashreplace")


def as_text(report: Report) -> str:
    """Return the report for a terminal: explanation, then the traceback or the title."""
    return f"{report.explanation}\n\n{(report.traceback or report.title).rstrip()}\n"


def as_html(report: Report, may_refresh: bool) -> str:
    """Return the report as a whole HTML document."""
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_S}">' if may_refresh else ""
    traceback = f"<pre>{_marked(report.traceback.rstrip())}</pre>" if report.traceback else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"{refresh if report.refresh else ''}"
        f"<title>{html.escape(report.title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{html.escape(report.title)}</h1>"
        f"<p>{html.escape(report.explanation)}</p>{traceback}</main></body></html>\n"
    )


def _report(error: EmulatorError, request: str, still_serving: bool) -> Report:
    match error:
        case LoadError():
            place = f" ({error.file}:{error.line})" if error.file else ""
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
