"""The kinds of bindings that are not emulated: their shapes, and wrangler's names for them.

A table only; `unsupported.py` walks it. What `emulator/kinds/` emulates is not looked up here.
Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Other(Struct, frozen=True):
    """`key` is the list or object under the configuration key `section`, "" for the section itself.

    `name_key` holds the name on `env`. `optional` None means: further keys are not checked, because
    they are not documented.
    """

    section: str
    friendly: str
    shape: Literal["list", "object"] = "list"
    key: str = ""
    name_key: str = "binding"
    name_required: bool = True
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] | None = ()

    @property
    def config_key(self) -> str:
        """What messages call it: `queues.producers`."""
        return f"{self.section}.{self.key}" if self.key else self.section


_REMOTE = ("remote",)

OTHER_KINDS = (
    Other(
        "hyperdrive",
        "Hyperdrive Config",
        required=("id",),
        optional=("localConnectionString", "remote"),
    ),
    Other("analytics", "Analytics SQL", "object", optional=_REMOTE),
    Other("k2", "K2 Stream", required=("stream",), optional=_REMOTE),
    Other("browser", "Browser", "object", optional=_REMOTE),
    Other("images", "Images", "object", optional=_REMOTE),
    Other("media", "Media", "object", optional=_REMOTE),
    Other("stream", "Stream", "object", optional=_REMOTE),
    Other("websearch", "Web Search", "object", optional=_REMOTE),
    Other(
        "dispatch_namespaces", "Dispatch Namespace", optional=("namespace", "outbound", "remote")
    ),
    Other("mtls_certificates", "mTLS Certificate", required=("certificate_id",), optional=_REMOTE),
    Other("pipelines", "Pipeline", optional=("pipeline", "stream", "remote")),
    Other("worker_loaders", "Worker Loader"),
    Other("vpc_services", "VPC Service", required=("service_id",), optional=_REMOTE),
    Other("vpc_networks", "VPC Network", optional=("tunnel_id", "network_id", "remote")),
    Other("artifacts", "Artifacts", required=("namespace",), optional=_REMOTE),
    Other("flagship", "Flagship", required=("app_id",), optional=_REMOTE),
    Other("unsafe_hello_world", "Hello World", optional=("enable_timer",)),
    Other("ai_search", "AI Search", optional=None),
    Other("ai_search_namespaces", "AI Search Namespace", optional=None),
    Other("agent_memory", "Agent Memory", optional=None),
    Other("unsafe", "Unsafe", key="bindings", name_key="name", required=("type",), optional=None),
)
