"""The KV client. Source: docs/platform/kv.md, "The client"."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..calls import Answer
from ..sdk.jsdict import JsDict
from ..sdk.pyodide.ffi import JsException
from .binding import _BindingWrapper


class KvNamespace(_BindingWrapper):
    """A namespace of keys and values."""

    def get(self, key: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Return a value, or None; of a list of keys, a JsDict of them.

        Options: `type` "text", "json", "arrayBuffer" (a memoryview) or "stream", and `cacheTtl`.
        The type alone may be given in place of them.
        """
        return self._get("get", key, options, keywords, _value)

    def getWithMetadata(self, key: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Return `{value, metadata, cacheStatus}`; of a list of keys, a JsDict of
        `{value, metadata}` or None.
        """
        shape = _with_status if not isinstance(key, list) else _with_metadata
        return self._get("getWithMetadata", key, options, keywords, shape)

    def put(self, key: Any, value: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Store a value: text, bytes, an array or a stream.

        Options: `expiration` and `expirationTtl` in seconds, `metadata`.
        """
        given = _as_dict(self._options("put", options, keywords))
        self._check_names("put", given, ("expiration", "expirationTtl", "metadata"))
        times = given.get("expiration"), given.get("expirationTtl")
        args = [_key(key), value, *times, given.get("metadata")]
        return self._caller.call(self._name, "put", args, takes_stream=True)

    def delete(self, key: Any, /) -> Answer:
        """Delete a key, if it exists."""
        return self._call("delete", _key(key))

    def list(self, /, *options: Any, **keywords: Any) -> Answer:
        """Return `{keys, list_complete, cursor?, cacheStatus}`.

        Options: `prefix`, `limit` and `cursor`.
        """
        given = _as_dict(self._options("list", options, keywords))
        self._check_names("list", given, ("prefix", "limit", "cursor"))
        args = [given.get("prefix"), given.get("limit"), given.get("cursor")]
        return self._caller.call(self._name, "list", args, then=_listed)

    def _get(
        self,
        method: str,
        key: Any,
        options: tuple[Any, ...],
        keywords: dict[str, Any],
        shape: Callable[[Any, str], Any],
    ) -> Answer:
        given = self._options(method, options, keywords)
        asked = {"type": given[0]} if given and isinstance(given[0], str) else _as_dict(given)
        self._check_names(method, asked, ("type", "cacheTtl"))
        kind = "text" if asked.get("type") is None else str(asked["type"])
        cache_ttl = asked.get("cacheTtl")
        if isinstance(key, (list, tuple)):
            keys = [_key(each) for each in key]

            def found(answers: Any) -> Any:
                shown = [shape(each, kind) for each in answers]
                return JsDict(zip(keys, shown, strict=True))

            return self._caller.call(self._name, "getBulk", [keys, kind, cache_ttl], then=found)
        return self._caller.call(
            self._name,
            "get",
            [_key(key), kind, cache_ttl],
            then=lambda answer: shape(answer, kind),
        )


def _value(answer: Any, kind: str) -> Any:
    if answer is None:
        return None
    return _parsed(answer["value"]) if kind == "json" else answer["value"]


def _with_metadata(answer: Any, kind: str) -> Any:
    if answer is None:
        return None
    metadata = answer["metadata"]
    found = None if metadata is None else _parsed(metadata)
    return JsDict(value=_value(answer, kind), metadata=found)


def _with_status(answer: Any, kind: str) -> Any:
    found = _with_metadata(answer, kind) or JsDict(value=None, metadata=None)
    return JsDict(found, cacheStatus=None)


def _listed(answer: Any) -> JsDict:
    keys = []
    for key in answer["keys"]:
        shown = JsDict(name=key["name"])
        if key["expiration"] is not None:
            shown["expiration"] = key["expiration"]
        if key["metadata"] is not None:
            shown["metadata"] = _parsed(key["metadata"])
        keys.append(shown)
    found = JsDict(keys=keys, list_complete=answer["cursor"] is None)
    if answer["cursor"] is not None:
        found["cursor"] = answer["cursor"]
    return JsDict(found, cacheStatus=None)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=JsDict)
    except (ValueError, RecursionError) as error:
        raise JsException(f"The value is not JSON: {error}", "SyntaxError") from None


def _as_dict(options: list[Any]) -> dict[str, Any]:
    found = options[0] if options else None
    return found if isinstance(found, dict) else {}


def _key(key: Any) -> str:
    """Return the text that JavaScript makes of a key; it makes one of any value."""
    return key if isinstance(key, str) else "undefined" if key is None else str(key)


CLIENT = KvNamespace
