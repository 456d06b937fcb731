"""Answers requests with assets: which requests, redirects, headers, conditions, ranges.

Source: docs/platform/assets.md, "Who answers" and "Headers of an asset".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from bindings.assets import html, paths, patterns
from bindings.assets.content_types import content_type
from bindings.assets.folder import File, Folder, pieces
from bindings.assets.html import Intent
from bindings.assets.ranges import Unsatisfiable, part_of
from bindings.assets.rule_files import Redirect
from bindings.assets.settings import AssetSettings
from bindings.binding import ByteStream
from bindings.http import StreamedAnswer
from emulator.errors import WorkerError

CACHE_CONTROL = "public, max-age=0, must-revalidate"
Headers = Sequence[tuple[str, str]]


class Assets:
    """The assets of a worker. told: gets what is wrong in `_headers` and `_redirects`."""

    kind = "assets"

    def __init__(self, settings: AssetSettings, told: Callable[[str], None]) -> None:
        self._settings = settings
        self._folder = Folder(settings.directory, settings.html_handling, told)

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run a client's call: `fetch(method, url, headers, body)` returns
        `{"status", "headers", "body"}`. Raises WorkerError.
        """
        match method, args:
            case "fetch", [str(verb), str(url), list(headers), *_]:
                pairs = [(str(name), str(value)) for name, value in headers]
                answer = await self.fetch(verb, url, pairs)
                body = None
                if answer.body is not None:
                    body = ByteStream(answer.body, "application/octet-stream")
                shown = [list(pair) for pair in answer.headers]
                return {"status": answer.status, "headers": shown, "body": body}
        raise WorkerError(f'The assets have no method "{method}" that takes these arguments')

    async def close(self) -> None:
        """Nothing is held."""

    async def front(self, method: str, url: str, headers: Headers) -> StreamedAnswer | None:
        """Answer a request that came to the worker's address; None: the worker answers it."""
        if self._settings.alone:
            return await self.fetch(method, url, headers)
        parts = urlsplit(url)
        path = paths.normalized(parts.path or "/")
        first = self._settings.worker_first
        not_found = self._settings.not_found_handling
        if isinstance(first, tuple):
            if _fits([each[1:] for each in first if each.startswith("!")], path):
                return await self.fetch(method, url, headers)
            if _fits([each for each in first if not each.startswith("!")], path):
                return None
        elif first:
            return None
        else:
            is_navigation = _value(headers, "sec-fetch-mode") == "navigate"
            if not (self._settings.navigation_first and is_navigation):
                not_found = "none"
        if paths.without_base(paths.decoded(path), self._settings.base_path) is None:
            return None
        found = self._redirected(parts.netloc, path, parts.query)
        if isinstance(found, StreamedAnswer) or found[1] or self._intent(*found, not_found):
            return await self.fetch(method, url, headers)
        return None

    async def fetch(self, method: str, url: str, headers: Headers) -> StreamedAnswer:
        """Answer a request with an asset, or with status 404."""
        parts = urlsplit(url)
        path = paths.normalized(parts.path or "/")
        answer = await self._answer(method.upper(), path, parts.netloc, parts.query, headers)
        return self._with_rules(answer, parts.hostname or "", path)

    async def _answer(
        self, method: str, path: str, host: str, query: str, headers: Headers
    ) -> StreamedAnswer:
        if paths.without_base(paths.decoded(path), self._settings.base_path) is None:
            return StreamedAnswer(404, [], None)
        found = self._redirected(host, path, query)
        if isinstance(found, StreamedAnswer):
            return found
        path, is_proxied = found
        intent = self._intent(path, is_proxied, self._settings.not_found_handling)
        if intent is None:
            return StreamedAnswer(404, [], None)
        if method not in ("GET", "HEAD"):
            return StreamedAnswer(405, [], None)
        base = self._settings.base_path
        wanted = paths.decoded(path)
        if intent.redirect is not None:
            wanted = paths.with_base(intent.redirect, base)
        location = paths.encoded(wanted)
        if intent.redirect is not None or location != path:
            search = f"?{query}" if query else ""
            return StreamedAnswer(307, [("location", location + search)], None)
        file = self._folder.find(intent.file)
        if file is None:  # removed just now
            return StreamedAnswer(404, [], None)
        return await self._file(method, intent, file, headers)

    def _intent(self, path: str, is_proxied: bool, not_found: str) -> Intent | None:
        base = self._settings.base_path
        whole = paths.decoded(path)
        inside = paths.without_base(whole, base)
        if inside is None:
            return None
        if base != "/" and not is_proxied and self._exists("/index.html"):
            handling = self._settings.html_handling
            if handling == "drop-trailing-slash" and whole == base:
                return Intent(redirect="")
            if handling in ("auto-trailing-slash", "force-trailing-slash") and whole == base[:-1]:
                return Intent(redirect="/")
        return html.intent_of(inside, self._settings.html_handling, not_found, self._exists)

    def _exists(self, path: str) -> bool:
        return self._folder.find(path) is not None

    def _redirected(self, host: str, path: str, query: str) -> StreamedAnswer | tuple[str, bool]:
        """Return the answer of `_redirects`, or the path to serve and whether a rule named it."""
        found = _first(self._folder.redirects, host, path)
        if found is None:
            return path, False
        rule, values = found
        target = patterns.filled(rule.target, values)
        if "://" not in rule.target and not rule.target.startswith("//"):
            target = _single_slashes(target)
        parts = urlsplit(urljoin(f"http://{host}{path}", target))
        if rule.status == 200:
            return paths.normalized(parts.path or "/"), True
        here = parts.netloc == host
        place = "" if here else f"{parts.scheme}://{parts.netloc}"
        search = parts.query or query
        location = place + paths.normalized(parts.path or "/") + (f"?{search}" if search else "")
        location += f"#{parts.fragment}" if parts.fragment else ""
        return StreamedAnswer(rule.status, [("location", location)], None)

    async def _file(
        self, method: str, intent: Intent, file: File, headers: Headers
    ) -> StreamedAnswer:
        etag = f'"{await self._folder.etag(intent.file, file)}"'
        wanted = _value(headers, "range") if intent.status == 200 else None
        sent = [("etag", etag)]
        kind = content_type(intent.file)
        if kind is not None:
            sent.append(("content-type", kind))
        if wanted is None and _value(headers, "authorization") is None:
            sent.append(("cache-control", CACHE_CONTROL))
        if _value(headers, "if-none-match") in (etag, f"W/{etag}"):
            return StreamedAnswer(304, sent, None)
        if _value(headers, "if-range") not in (None, etag):
            wanted = None
        try:
            part = part_of(wanted, file.size)
        except Unsatisfiable:
            return StreamedAnswer(416, [("content-range", f"bytes */{file.size}")], None)
        start, end = part or (0, file.size)
        if part is not None:
            sent.append(("content-range", f"bytes {start}-{end - 1}/{file.size}"))
        sent.append(("content-length", str(end - start)))
        body = None if method == "HEAD" else pieces(file, start, end)
        return StreamedAnswer(206 if part is not None else intent.status, sent, body)

    def _with_rules(self, answer: StreamedAnswer, host: str, path: str) -> StreamedAnswer:
        """Apply the rules of `_headers` that fit."""
        if not self._folder.headers:
            return answer
        headers = list(answer.headers)
        already: set[str] = set()
        for rule in self._folder.headers:
            values = patterns.values_of(rule.pattern, host, path)
            if values is None:
                continue
            headers = [pair for pair in headers if pair[0] not in rule.unset]
            for name, value in rule.set.items():
                text = patterns.filled(value, values)
                if name in already:
                    headers = _appended(headers, name, text)
                else:
                    headers = [*(pair for pair in headers if pair[0] != name), (name, text)]
                    already.add(name)
        return StreamedAnswer(answer.status, headers, answer.body)


def _fits(globs: Sequence[str], path: str) -> bool:
    return any(patterns.glob(each).fullmatch(path) for each in globs)


def _first(
    rules: Sequence[Redirect], host: str, path: str
) -> tuple[Redirect, Mapping[str, str]] | None:
    """Return the rule for a path and the values of its names: a static one, or the first."""
    for rule in rules:
        if rule.is_static and rule.source == path:
            return rule, {}
    for rule in rules:
        if not rule.is_static:
            values = patterns.values_of(rule.source, host, path)
            if values is not None:
                return rule, values
    return None


def _single_slashes(target: str) -> str:
    """Return a target on this host that names no other: `//evil.example` is a path."""
    end = next((place for place, char in enumerate(target) if char in "?#"), len(target))
    path = target[:end].replace("\\", "/")
    while "//" in path:
        path = path.replace("//", "/")
    return path + target[end:]


def _value(headers: Headers, name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _appended(headers: list[tuple[str, str]], name: str, value: str) -> list[tuple[str, str]]:
    """Add a value to a header as `Headers.append` does."""
    return [(key, f"{old}, {value}") if key == name else (key, old) for key, old in headers]
