"""What we add to esbuild's own resolution: functions that it calls for imports that fit a pattern.

esbuild calls a plugin "callbacks" of these two kinds: one finds the file of an import, one gives
the content of a file. The first that answers decides.
Source: docs/platform/bundling.md, "esbuild's service".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct, field

from emulator.bundling.packets import Value
from emulator.bundling.service import Message

Handle = Callable[["Import"], Awaitable[Message | None]]
Load = Callable[[str], Awaitable[Message | None]]
Ask = Callable[[Message], Awaitable[Message]]

PLUGIN_NAME = "groundfog"
# As data of a resolution that we ask for ourselves: our own functions leave it alone.
_OURS = 1


class Import(Struct, frozen=True):
    """An import that esbuild asks about.

    path: as written in the code. importer: the absolute path of that code. folder: where a relative
    path begins. kind: "import-statement", "require-call", "dynamic-import", "entry-point", …
    """

    path: str
    importer: str
    folder: str
    kind: str


class Hooks(Struct):
    """The functions for one build. Patterns are regular expressions in Go's syntax."""

    ask: Ask
    build: int  # the key of the build that they belong to
    _resolve: list[tuple[str, str, Handle]] = field(default_factory=list)
    _load: list[tuple[str, str, Load]] = field(default_factory=list)

    def on_resolve(self, pattern: str, handle: Handle, namespace: str = "") -> None:
        """Call `handle` for imports whose path fits; in code of any namespace if it is ""."""
        self._resolve.append((pattern, namespace, handle))

    def on_load(self, pattern: str, load: Load, namespace: str) -> None:
        """Call `load` with a path for its content."""
        self._load.append((pattern, namespace, load))

    def plugin(self) -> Message:
        """Return the functions as esbuild wants to be told of them."""
        return {
            "name": PLUGIN_NAME,
            "onStart": False,
            "onEnd": False,
            "onResolve": _told(self._resolve),
            "onLoad": _told(self._load),
        }

    async def answer(self, request: Message) -> Message:
        """Answer a request of esbuild: the first function that knows an answer gives it."""
        ids = request.get("ids")
        assert isinstance(ids, list)
        if request["command"] == "on-resolve" and request.get("pluginData") == _OURS:
            return {}
        for number in ids:
            assert isinstance(number, int)
            if request["command"] == "on-resolve":
                found = await self._resolve[number][2](_import_of(request))
            else:
                found = await self._load[number][2](str(request["path"]))
            if found is not None:
                return {"id": number, **found}
        return {}

    async def resolve(self, wanted: Import) -> str | None:
        """Return the absolute path that esbuild itself finds for an import, or None."""
        found = await self.ask(
            {
                "command": "resolve",
                "key": self.build,
                "pluginName": PLUGIN_NAME,
                "path": wanted.path,
                "importer": wanted.importer,
                "resolveDir": wanted.folder,
                "kind": wanted.kind,
                "pluginData": _OURS,
            }
        )
        path = found.get("path")
        is_file = not found.get("errors") and found.get("namespace") == "file"
        return path if isinstance(path, str) and is_file else None


def failure(text: str) -> Message:
    """Return the answer that makes of an import an error with its place in the code."""
    return {"errors": [message(text)]}


def message(text: str) -> Value:
    """Return a message in esbuild's form, without a place."""
    return {
        "id": "",
        "pluginName": "",
        "text": text,
        "location": None,
        "notes": [],
        "detail": -1,
    }


def _told(functions: list[tuple[str, str, Handle]] | list[tuple[str, str, Load]]) -> list[Value]:
    return [
        {"id": number, "filter": pattern, "namespace": namespace}
        for number, (pattern, namespace, _) in enumerate(functions)
    ]


def _import_of(request: Message) -> Import:
    return Import(
        str(request["path"]),
        str(request["importer"]),
        str(request["resolveDir"]),
        str(request["kind"]),
    )
