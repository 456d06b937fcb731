"""Which file a path means, and where a request is sent for the canonical form of its path.

A table of steps for each way of `html_handling`: what is tried for a path with one of these
endings, and then for any path. In a step, `@` stands for the path without the ending.
Source: docs/platform/assets.md, "HTML handling".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

# A file that is served; or a file, and the path to which a request for it is sent.
Step = tuple[str] | tuple[str, str]
Exists = Callable[[str], bool]

_INDEX, _INDEX_HTML, _SLASH, _HTML = "/index", "/index.html", "/", ".html"
_ENDINGS = (_INDEX, _INDEX_HTML, _SLASH, _HTML)  # the first that fits counts

_STEPS: dict[str, dict[str, tuple[Step, ...]]] = {
    "auto-trailing-slash": {
        _INDEX: (("@/index",), ("@/index.html", "@/"), ("@.html", "@")),
        _INDEX_HTML: (("@/index.html", "@/"), ("@.html", "@")),
        _SLASH: (("@/index.html",), ("@.html", "@")),
        _HTML: (("@.html", "@"), ("@/index.html", "@/")),
        "": (("@",), ("@.html",), ("@/index.html", "@/")),
    },
    "force-trailing-slash": {
        _INDEX: (("@/index",), ("@/index.html", "@/"), ("@.html", "@/")),
        _INDEX_HTML: (("@/index.html", "@/"), ("@.html", "@/")),
        _SLASH: (("@/index.html",), ("@.html",)),
        _HTML: (("@.html", "@/"), ("@.html",), ("@/index.html", "@/")),
        "": (("@",), ("@.html", "@/"), ("@/index.html", "@/")),
    },
    "drop-trailing-slash": {
        _INDEX: (("@/index",), ("@.html", "@"), ("@/index.html", "@")),
        _INDEX_HTML: (("@/index.html", "@"), ("@/index.html",), ("@.html", "@")),
        _SLASH: (("@.html", "@"), ("@/index.html", "@")),
        _HTML: (("@.html", "@"), ("@/index.html", "@")),
        "": (("@",), ("@.html",), ("@/index.html",)),
    },
    "none": {"": (("@",),)},
}
# The root keeps its slash.
_AT_ROOT: dict[str, tuple[Step, ...]] = {
    "/index": (("/index",), ("/index.html", "/")),
    "/index.html": (("/index.html", "/"),),
    "/": (("/index.html",),),
}


class Intent(Struct, frozen=True):
    """What a path means: a file, served with this status, or a redirect to another path."""

    file: str = ""
    redirect: str | None = None
    status: int = 200


def intent_of(path: str, handling: str, not_found: str, exists: Exists) -> Intent | None:
    """Return what a decoded path means; None when there is nothing.

    exists: whether there is a file at a decoded path, such as `"/a/index.html"`.
    """
    for step in _steps(path, handling):
        file = step[0]
        if len(step) == 1:
            if exists(file):
                return Intent(file)
        elif _may_redirect(file, step[1], handling, not_found, exists):
            return Intent(redirect=step[1])
    return _not_found(path, not_found, exists)


def _may_redirect(file: str, path: str, handling: str, not_found: str, exists: Exists) -> bool:
    """Whether a path leads to the file by itself, so that a redirect to it is of use."""
    if not exists(file) or exists(path):
        return False
    served = [step[0] for step in _steps(path, handling) if len(step) == 1]
    found = next((each for each in served if exists(each)), None)
    if found is None:
        meant = _not_found(path, not_found, exists)
        found = None if meant is None else meant.file
    return found == file


def _steps(path: str, handling: str) -> Iterator[Step]:
    steps = _STEPS[handling]
    ending = next((each for each in _ENDINGS if each in steps and path.endswith(each)), "")
    first = steps[ending] if ending else ()
    if handling == "drop-trailing-slash" and path in _AT_ROOT:
        first = _AT_ROOT[path]
    stem = path[: len(path) - len(ending)]
    for step in first:
        yield tuple(part.replace("@", stem) for part in step)  # type: ignore[misc]
    for step in steps[""]:
        yield tuple(part.replace("@", path) for part in step)  # type: ignore[misc]


def _not_found(path: str, handling: str, exists: Exists) -> Intent | None:
    if handling == "single-page-application":
        return Intent("/index.html") if exists("/index.html") else None
    if handling == "404-page":
        folder = path
        while folder:
            folder = folder[: folder.rfind("/")]
            if exists(f"{folder}/404.html"):
                return Intent(f"{folder}/404.html", status=404)
    return None
