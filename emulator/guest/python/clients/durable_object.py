"""The client of a namespace of Durable Objects, and the stub of each object.

Source: docs/platform/durable-objects.md, "Namespaces".
"""

from __future__ import annotations

from typing import Any

from ..calls import Answer, Caller
from ..objects.ids import DurableObjectId, Ids
from ..sdk.jserror import JsException
from .fetcher import _FetcherWrapper

_NO_JURISDICTION = "Jurisdiction restrictions are not implemented in workerd."


class _DurableObjectNamespaceWrapper:
    """The objects of one class."""

    def __init__(self, caller: Caller, name: str, told: Any) -> None:
        self._caller = caller
        self._name = name
        self._ids = Ids(told["key"])

    @property
    def _binding(self) -> _DurableObjectNamespaceWrapper:
        return self

    def idFromName(self, name: Any) -> DurableObjectId:  # JavaScript's name
        """Return the id of the object with this name."""
        return self._ids.of_name(str(name))

    def idFromString(self, text: Any) -> DurableObjectId:  # JavaScript's name
        """Return the id that `str(id)` was made of. Raises JsException."""
        return self._ids.of_string(text)

    def newUniqueId(self, *options: Any, **keywords: Any) -> DurableObjectId:  # JavaScript's name
        """Return the id of a new object. Raises JsException for a jurisdiction."""
        given = options[0] if options and isinstance(options[0], dict) else keywords
        if given.get("jurisdiction") is not None:
            raise JsException(_NO_JURISDICTION)
        return self._ids.new()

    def get(self, id: Any, /, *options: Any, **keywords: Any) -> DurableObject:
        """Return the stub of an object."""
        if not isinstance(id, DurableObjectId):
            raise JsException(
                "Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type "
                "'DurableObjectId'. Make one with idFromName, or use getByName.",
                "TypeError",
            )
        return DurableObject(self._caller, self._name, id)

    def getByName(  # JavaScript's name
        self, name: Any, /, *options: Any, **keywords: Any
    ) -> DurableObject:
        """Return the stub of the object with this name."""
        return self.get(self.idFromName(name))

    def jurisdiction(self, jurisdiction: Any) -> _DurableObjectNamespaceWrapper:
        """Return the objects of a jurisdiction. Raises JsException: there is none here."""
        if jurisdiction is not None:
            raise JsException(_NO_JURISDICTION)
        return self

    def __repr__(self) -> str:
        return f"<DurableObjectNamespace {self._name}>"


class DurableObject(_FetcherWrapper):
    """The stub of one object: `fetch` sends it a request, and every other name is a method."""

    def __init__(self, caller: Caller, name: str, id: DurableObjectId) -> None:
        super().__init__(_Addressed(caller, id), name)
        self.id = id
        self.name = id.name

    def __repr__(self) -> str:
        return f"<DurableObject {self.name or self.id}>"


class _Addressed:
    """Sends calls to one object: `"<id> <method>"`, and the object's name after it."""

    def __init__(self, caller: Caller, id: DurableObjectId) -> None:
        self._caller = caller
        self._id = id

    def call(self, binding: str, method: str, args: list[Any], **options: Any) -> Answer:
        name = "" if self._id.name is None else f" {self._id.name}"
        return self._caller.call(binding, f"{self._id} {method}{name}", args, **options)


_DurableObjectNamespaceWrapper.__module__ = "workers.rpc"
DurableObject.__module__ = "js"
CLIENT = _DurableObjectNamespaceWrapper
