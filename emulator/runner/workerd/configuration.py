"""The configuration of one workerd process, from what a worker is and what it is bound to. Pure.

    public sockets    -> user     who may ask what; then the user's code in the same isolate
    socket "control"  -> user     the runner protocol
    user's bindings   -> the host, over one private unix socket
A script in service-worker format can have no entrypoint of ours: our workers stand beside it.
Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from emulator.bundling.bundle import Bundle, Module
from emulator.guest import javascript
from emulator.runner.guest_source import WorkerSpec
from emulator.runner.workerd.capnp import Embed, Embedded, Reference, Value, Word, document
from emulator.runner.workerd.host_server import ASKER
from emulator.runner.workerd.member import DISPATCHER, FETCHER, WORKER, service_of

# Exported by entry.js:
CONTROL = "__groundfog_control"
FRONT = "__groundfog_front"
# By the address on which a socket listens: the front that knows all its clients' address.
LOCAL_FRONTS = {"127.0.0.1": f"{FRONT}_v4", "::1": f"{FRONT}_v6"}
# The same names as in host.js:
HOST = "__groundfog_host"
DOOR = "__groundfog_door"
RULES = "__groundfog_rules"
LABELS = "__groundfog_format"
TRACED = "__groundfog_traced"
SERVICES = "__groundfog_services"
DISPATCHERS = "__groundfog_dispatchers"
IDS = "__groundfog_ids_"  # before the name of a binding
OBJECTS = "__groundfog_objects_"  # before the name of a class
STORAGE = "durable-objects"
USER = "user"  # the service that is the user's worker
CACHE = "host:cache"
ABSENT = "groundfog:absent"
FORMAT = "groundfog:format"
INLINE_MAX_BYTES = 16 * 1024  # of a module in the text of the configuration
OWN_DATE = "2026-06-01"  # of our own workers
# workerd makes `request.cf` of the header of this name, which no client can guess, or else of the
# client's address, which would cost a copied request more than everything else.
NO_CF = f"x-groundfog-{secrets.token_hex(8)}"
# From this date the flag is the default, and naming it is an error for some versions of workerd.
NODEJS_COMPAT_FROM = "2026-08-04"

_KINDS = {
    "esm": "esModule",
    "commonjs": "commonJsModule",
    "text": "text",
    "data": "data",
    "wasm": "wasm",
    "json": "json",
}


class Layout(Struct, frozen=True):
    """One process to configure. rules: for front.js; None: it has no door.

    door, host: unix sockets of the host's HTTP server and of its `HostServer`.
    storage: the folder of Durable Objects, which exists if there are any. tls: certificate and key
    in PEM, for public sockets that speak HTTPS.
    """

    generation: int
    spec: WorkerSpec
    bundle: Bundle
    host: Path
    door: Path | None
    rules: Mapping[str, Any] | None
    storage: Path
    tls: tuple[str, str] | None = None


def configuration(layout: Layout, public: Mapping[str, str], embed: Embed) -> bytes:
    """Return the configuration as text. public: names of sockets, and on which address each is."""
    services: list[Value] = [
        {"name": "user", "worker": Reference("user")},
        {
            "name": "internet",
            "network": {
                "allow": [] if layout.spec.asks_network else ["public", "private"],
                "tlsOptions": {"trustBrowserCas": True},
            },
        },
        _external("host:user", layout.host, f"{layout.generation} user"),
        _external(CACHE, layout.host, f"{layout.generation} cache", style="proxy"),
    ]
    if layout.spec.durable:
        storage: dict[str, Value] = {"path": str(layout.storage), "writable": True}
        services.append({"name": STORAGE, "disk": storage})
    if layout.door is not None:
        services.append(_external("door", layout.door, f"{layout.generation} door"))
    constants: dict[str, tuple[str, Value]] = {"user": ("Worker", _user(layout))}
    control = front = "user"
    if layout.bundle.service_worker:
        control, front = "control", "front"
        constants["control"] = ("Worker", _control(layout))
        constants["front"] = ("Worker", _front_alone(layout))
    if keys := _foreign_keys(layout.spec):
        constants["ids"] = ("Worker", _ids(keys))
    constants["workflows"] = ("Worker", _workflows(layout.spec))
    services += [{"name": name, "worker": Reference(name)} for name in constants if name != "user"]
    services += [
        _external(service_of(member.name), layout.host, asker_of(layout.generation, member.name))
        for member in layout.spec.members
        if member.answer
    ]
    services += [
        {"name": service_of(each.name), "external": {"address": each.tcp, "tcp": {}}}
        for each in layout.spec.members
        if each.tcp
    ]
    config: dict[str, Value] = {
        "services": services,
        "sockets": [
            _socket("control", control, CONTROL),
            *(_public_socket(layout, name, front, address) for name, address in public.items()),
        ],
        "extensions": [
            {
                "modules": [
                    {"name": name, "internal": True, "esModule": javascript.source(file)}
                    for name, file in javascript.INTERNAL.items()
                ]
            }
        ],
    }
    return document({"config": ("Config", config), **constants}, embed)


def _socket(name: str, service: str, entrypoint: str, **http: Value) -> dict[str, Value]:
    return {"name": name, "http": http, "service": {"name": service, "entrypoint": entrypoint}}


def _public_socket(layout: Layout, name: str, service: str, address: str) -> Value:
    if address in LOCAL_FRONTS:
        made = _socket(name, service, LOCAL_FRONTS[address], cfBlobHeader=NO_CF)
    else:
        made = _socket(name, service, FRONT)
    if layout.tls is not None:
        certificate, key = layout.tls
        pair: Value = {"privateKey": key, "certificateChain": certificate}
        made["https"] = {"options": made.pop("http"), "tlsOptions": {"keypair": pair}}
    return made


def asker_of(generation: int, binding: str) -> str:
    """Return how a binding of a generation is named to the host."""
    return f"{generation} binding {binding}"


def _external(name: str, path: Path, asker: str, *, style: str = "host") -> Value:
    """style: "proxy" tells whole URLs."""
    headers: list[Value] = [{"name": ASKER, "value": asker}]
    return {
        "name": name,
        "external": {
            "address": f"unix:{path}",
            "http": {"style": Word(style), "injectRequestHeaders": headers},
        },
    }


def _user(layout: Layout) -> Value:
    worker = _worker(layout)
    bindings = _bindings(layout.spec)
    main = layout.bundle.modules[0]
    if layout.bundle.service_worker:
        worker["serviceWorkerScript"] = main.content.decode("utf-8", "replace")
        bindings += [_global(module) for module in layout.bundle.modules[1:]]
    else:
        bindings += _to_host(layout)
        if not layout.spec.debug:  # a debugger shows objects, where labelled text is a string
            bindings.append({"name": LABELS, "wrapped": {"moduleName": FORMAT}})
        worker["modules"] = [*_own_modules(), *(_module(each) for each in layout.bundle.modules)]
    worker["bindings"] = bindings
    if layout.spec.durable:
        namespaces: list[Value] = [
            {"className": each.name, "uniqueKey": each.unique_key, "enableSql": each.has_sql}
            for each in layout.spec.durable
        ]
        worker["durableObjectNamespaces"] = namespaces
        worker["durableObjectStorage"] = {"localDisk": STORAGE}
    return worker


def _to_host(layout: Layout) -> list[Value]:
    """Return the bindings of host.js, which user code does not see."""
    found: list[Value] = [{"name": HOST, "service": "host:user"}]
    if layout.rules is not None and layout.door is not None:
        rules = {**layout.rules, "has_front": layout.spec.has_front}
        found.append({"name": DOOR, "service": "door"})
        found.append({"name": RULES, "json": json.dumps(rules)})
    if layout.spec.traced:
        found.append({"name": TRACED, "json": "true"})
    foreign = _foreign_keys(layout.spec)
    for name, answers in ((SERVICES, (WORKER, FETCHER)), (DISPATCHERS, (DISPATCHER,))):
        bound = [each.name for each in layout.spec.members if each.answer in answers]
        if bound := [each for each in bound if each not in foreign]:
            found.append({"name": name, "json": json.dumps(bound)})
    for number, name in enumerate(foreign):
        ids: Value = {"className": f"Ids{number}", "serviceName": "ids"}
        found.append({"name": f"{IDS}{name}", "durableObjectNamespace": ids})
    for each in layout.spec.durable:
        own: Value = {"className": each.name}
        found.append({"name": f"{OBJECTS}{each.name}", "durableObjectNamespace": own})
    return found


def _foreign_keys(spec: WorkerSpec) -> dict[str, str]:
    """Return what identifies the classes of other workers, by the names of their bindings."""
    found = [each.name for each in spec.members if each.answer == WORKER]
    return {name: str(spec.bindings[name]["key"]) for name in found if "key" in spec.bindings[name]}


def _ids(keys: Mapping[str, str]) -> Value:
    """Return a worker whose namespaces make the ids of objects that live elsewhere."""
    classes = [f"Ids{number}" for number in range(len(keys))]
    lines = [f"export class {name} extends DurableObject {{}}" for name in classes]
    code = ['import { DurableObject } from "cloudflare:workers";', *lines, "export default {};"]
    namespaces: list[Value] = [
        {"className": name, "uniqueKey": key}
        for name, key in zip(classes, keys.values(), strict=True)
    ]
    return {
        "modules": [{"name": "ids", "esModule": "\n".join(code)}],
        "compatibilityDate": OWN_DATE,
        "durableObjectNamespaces": namespaces,
        "durableObjectStorage": {"inMemory": Word("void")},
    }


def _control(layout: Layout) -> Value:
    """Return a worker beside a service worker, which cannot have a control connection itself."""
    stub = Module(layout.bundle.main, "esm", b"export default { fetch() {} };\n")
    worker = _worker(layout)
    worker["modules"] = [*_own_modules(), _module(stub)]
    worker["bindings"] = [{"name": HOST, "service": "host:user"}]
    return worker


def _worker(layout: Layout) -> dict[str, Value]:
    flags: list[Value] = [*flags_of(layout.spec)]
    return {
        "compatibilityDate": layout.spec.compatibility_date,
        "compatibilityFlags": flags,
        "globalOutbound": "internet",
        "cacheApiOutbound": CACHE,
    }


def flags_of(spec: WorkerSpec) -> tuple[str, ...]:
    """Return the compatibility flags without those that the date implies, and with ours."""
    redundant = spec.compatibility_date >= NODEJS_COMPAT_FROM and (
        "no_nodejs_compat" not in spec.compatibility_flags
    )
    flags = [
        flag
        for flag in spec.compatibility_flags
        if not (redundant and flag in ("nodejs_compat", "nodejs_compat_v2"))
    ]
    # The guest needs AsyncLocalStorage.
    if not redundant and not {"nodejs_als", "nodejs_compat", "nodejs_compat_v2"} & set(flags):
        flags.append("nodejs_als")
    return tuple(flags)


def _own_modules() -> list[Value]:
    return [
        {"name": "entry", "esModule": javascript.source("entry.js")},
        *_parts(*javascript.parts()),
    ]


def _parts(*names: str) -> list[Value]:
    return [{"name": f"groundfog/{name}", "esModule": javascript.source(name)} for name in names]


def _module(module: Module) -> Value:
    kind = _KINDS[module.kind]
    if module.kind in ("data", "wasm") or len(module.content) > INLINE_MAX_BYTES:
        return {"name": module.name, kind: Embedded(module.content)}
    return {"name": module.name, kind: module.content.decode("utf-8", "replace")}


def _global(module: Module) -> Value:
    """Return a module as the global variable that a service worker imports it as."""
    kind = "wasmModule" if module.kind == "wasm" else module.kind
    if module.kind == "text":
        return {"name": module.name, kind: module.content.decode("utf-8", "replace")}
    return {"name": module.name, kind: Embedded(module.content)}


def _bindings(spec: WorkerSpec) -> list[Value]:
    found: list[Value] = []
    for name, value in spec.vars.items():
        if isinstance(value, str):
            found.append({"name": name, "text": value})
        else:
            found.append({"name": name, "json": json.dumps(value, ensure_ascii=False)})
    known = {member.name for member in spec.members}
    found += [{"name": member.name, **member.value} for member in spec.members]
    for name, binding in spec.bindings.items():
        if name not in known:
            found.append(_absent(name, binding))
    return found


def _absent(name: str, binding: Mapping[str, Any]) -> Value:
    message = (
        f"env.{name} is a binding of kind {binding['kind']} ({binding.get('friendly', '')}), which "
        f"{binding.get('lacks') or 'Groundfog does not emulate yet'}. {binding.get('instead', '')}"
    ).rstrip()
    inner: list[Value] = [{"name": "message", "text": message}]
    return {"name": name, "wrapped": {"moduleName": ABSENT, "innerBindings": inner}}


def _workflows(spec: WorkerSpec) -> Value:
    """Return the worker that workerd's own client of workflows calls."""
    services = [service_of(member.name) for member in spec.members if member.answer]
    return {
        "modules": [
            {"name": "workflows", "esModule": javascript.source("workflows.js")},
            *_parts("values.js"),
        ],
        "compatibilityDate": OWN_DATE,
        "bindings": [{"name": service, "service": service} for service in services],
    }


def _front_alone(layout: Layout) -> Value:
    """Return the worker in front of a service worker."""
    modules: list[Value] = [
        {"name": "front", "esModule": javascript.source("front_alone.js")},
        *_parts("front.js", "host.js", "failures.js", "targets.js"),
    ]
    return {
        "modules": modules,
        "compatibilityDate": OWN_DATE,
        "bindings": [{"name": "USER", "service": "user"}, *_to_host(layout)],
    }
