"""The kinds that are emulated. A new one is a module here, and its line in this list."""

from __future__ import annotations

import importlib
from typing import Any

from emulator.kinds import (
    ai,
    analytics_engine,
    analytics_sql,
    assets,
    cron,
    d1,
    dispatch_namespaces,
    durable_objects,
    email,
    hyperdrive,
    images,
    kv,
    mtls_certificates,
    queues,
    r2,
    ratelimits,
    secrets_store,
    service,
    tail_consumers,
    vectorize,
    version_metadata,
    worker_loaders,
    workflow,
)
from emulator.kinds.kind import Kind

# In the order in which their sections are read.
KINDS: tuple[Kind, ...] = (
    workflow.KIND,
    d1.KIND,
    kv.KIND,
    r2.KIND,
    vectorize.KIND,
    ai.KIND,
    cron.KIND,
    ratelimits.KIND,
    version_metadata.KIND,
    analytics_engine.KIND,
    analytics_sql.KIND,
    secrets_store.KIND,
    email.KIND,
    hyperdrive.KIND,
    images.KIND,
    queues.KIND,
    service.KIND,
    dispatch_namespaces.KIND,
    mtls_certificates.KIND,
    worker_loaders.KIND,
    tail_consumers.KIND,
    assets.KIND,
    durable_objects.KIND,
)


def kind_named(name: str) -> Kind | None:
    """Return a kind by its name; None for one that is not emulated."""
    return next((kind for kind in KINDS if kind.name == name), None)


def attribute(path: str) -> Any:
    """Return what `"module:attribute"` names; the module is imported now."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def commands() -> dict[str, str]:
    """Return the command groups of kinds, by name, each as "module:attribute"."""
    return {kind.command or kind.name: kind.commands for kind in KINDS if kind.commands}
