"""One member of a worker's `env`, as workerd gets it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct

from emulator.runner.workerd.capnp import Value

# The service that workerd's client modules ask; a member's own name is in its place.
SERVICE = "groundfog:binding:"
CALLER = "groundfog:caller"
# What answers calls of another worker.
WORKER = "bindings.service.http:answer"
# What answers requests through a binding that has nothing but `fetch`.
FETCHER = "bindings.network.http:answer"
# What answers calls of workers that are found by name.
DISPATCHER = "bindings.service.dispatch_http:answer"


class Member(Struct, frozen=True):
    """A binding: its name, and its value in workerd's configuration without the name.

    answer: what answers the requests of its client module, as "module:attribute", if it asks any:
    a coroutine function of the binding, method, target, headers and body. streams: it gets the body
    as an async iterator, while it comes. tcp: the address that its service leads to in place of us.
    """

    name: str
    value: dict[str, Value]
    answer: str = ""
    streams: bool = False
    tcp: str = ""


class DurableClass(Struct, frozen=True):
    """A class of Durable Objects, and what identifies their storage."""

    name: str
    unique_key: str
    has_sql: bool


def service_of(name: str) -> str:
    """Return the name of the service that stands for a binding."""
    return f"{SERVICE}{name}"


def wrapped(module: str, inner: list[dict[str, Value]]) -> dict[str, Value]:
    """Return a binding that is a client module of workerd's around other bindings."""
    bindings: list[Value] = [*inner]
    return {"wrapped": {"moduleName": f"cloudflare-internal:{module}", "innerBindings": bindings}}


def called(service: str, methods: Sequence[str] = (), told: Sequence[str] = ()) -> dict[str, Value]:
    """Return a binding whose methods the host runs; it answers with `bindings.calls:answer`.

    told: methods that return nothing at once, and for which nobody waits.
    """
    bindings: list[Value] = [
        {"name": "host", "service": service},
        {"name": "methods", "json": json.dumps([*methods])},
        {"name": "told", "json": json.dumps([*told])},
    ]
    return {"wrapped": {"moduleName": CALLER, "innerBindings": bindings}}
