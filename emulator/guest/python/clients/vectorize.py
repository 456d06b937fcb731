"""The Vectorize client. Source: docs/platform/vectorize.md, "The client"."""

from __future__ import annotations

from typing import Any

from .. import buffers
from ..calls import Answer
from ..sdk.pyodide.ffi import JsException
from .binding import _BindingWrapper

QUERY_OPTIONS = ("topK", "returnValues", "returnMetadata", "namespace", "filter")


class VectorizeIndex(_BindingWrapper):
    """A vector index."""

    def describe(self) -> Answer:
        """Return the index's configuration and size."""
        return self._call("describe")

    def query(self, vector: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Return the nearest vectors to `vector`."""
        found = self._query_options("query", options, keywords)
        return self._call("query", buffers.numbers(vector), found)

    def queryById(self, vector_id: str, /, *options: Any, **keywords: Any) -> Answer:
        """Return the nearest vectors to a stored one."""
        found = self._query_options("queryById", options, keywords)
        return self._call("queryById", vector_id, found)

    def _query_options(
        self, method: str, options: tuple[Any, ...], keywords: dict[str, Any]
    ) -> dict[str, Any]:
        given = self._options(method, options, keywords)
        found = dict(given[0] or {}) if given else {}
        self._check_names(method, found, QUERY_OPTIONS)
        return _checked(found)

    def insert(self, vectors: Any, /) -> Answer:
        """Add vectors; those whose ids exist are not changed."""
        return self._call("insert", _plain_values(vectors))

    def upsert(self, vectors: Any, /) -> Answer:
        """Add or replace vectors."""
        return self._call("upsert", _plain_values(vectors))

    def getByIds(self, ids: Any, /) -> Answer:
        """Return the vectors with these ids."""
        return self._call("getByIds", ids)

    def deleteByIds(self, ids: Any, /) -> Answer:
        """Remove the vectors with these ids."""
        return self._call("deleteByIds", ids)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    wanted = options.get("returnMetadata")
    if wanted is not None and wanted is not False:
        if wanted is True:
            options["returnMetadata"] = "all"
        elif wanted not in ("all", "indexed", "none"):
            raise JsException(
                "Invalid returnMetadata option. Expected: true, false, "
                f'"none", "indexed" or "all"; got: {wanted}'
            )
    return options


def _plain_values(vectors: Any) -> Any:
    """Typed arrays are sent as plain arrays, as the platform's client does."""
    if not isinstance(vectors, list):
        return vectors
    return [
        {**vector, "values": buffers.numbers(vector["values"])}
        if isinstance(vector, dict) and "values" in vector
        else vector
        for vector in vectors
    ]


CLIENT = VectorizeIndex
