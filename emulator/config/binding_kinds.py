"""Every kind of binding the wrangler configuration knows: its shape, and wrangler's name for it.

Tables only. `bindings_section.py` and `workflows_section.py` read the kinds that are emulated,
`unsupported.py` walks the others.
Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kind:
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


EMULATED_FRIENDLY = {
    "workflows": "Workflow",
    "d1_databases": "D1 Database",
    "vectorize": "Vectorize Index",
    "ai": "AI",
    "vars": "Environment Variable",
    "secrets": "Secret",
}

_REMOTE = ("remote",)

UNSUPPORTED_KINDS = (
    Kind("kv_namespaces", "KV Namespace", optional=("id", "preview_id", "remote")),
    Kind(
        "r2_buckets",
        "R2 Bucket",
        optional=("bucket_name", "preview_bucket_name", "jurisdiction", "local_dev", "remote"),
    ),
    Kind("queues", "Queue", key="producers", optional=("queue", "delivery_delay", "remote")),
    Kind(
        "durable_objects",
        "Durable Object",
        key="bindings",
        name_key="name",
        required=("class_name",),
        optional=("script_name", "environment"),
    ),
    Kind(
        "services",
        "Worker",
        required=("service",),
        optional=("entrypoint", "props", "environment", "remote"),
    ),
    Kind(
        "assets",
        "Assets",
        "object",
        name_required=False,
        optional=("directory", "html_handling", "not_found_handling", "run_worker_first")
        + ("base_path",),
    ),
    Kind(
        "ratelimits",
        "Rate Limit",
        name_key="name",
        required=("namespace_id",),
        optional=("simple",),
    ),
    Kind(
        "hyperdrive",
        "Hyperdrive Config",
        required=("id",),
        optional=("localConnectionString", "remote"),
    ),
    Kind("analytics_engine_datasets", "Analytics Engine Dataset", optional=("dataset", "remote")),
    Kind("analytics", "Analytics SQL", "object", optional=_REMOTE),
    Kind("k2", "K2 Stream", required=("stream",), optional=_REMOTE),
    Kind("secrets_store_secrets", "Secrets Store Secret", required=("store_id", "secret_name")),
    Kind("version_metadata", "Worker Version Metadata", "object"),
    Kind("browser", "Browser", "object", optional=_REMOTE),
    Kind("images", "Images", "object", optional=_REMOTE),
    Kind("media", "Media", "object", optional=_REMOTE),
    Kind("stream", "Stream", "object", optional=_REMOTE),
    Kind("websearch", "Web Search", "object", optional=_REMOTE),
    Kind(
        "send_email",
        "Send Email",
        name_key="name",
        optional=("destination_address", "allowed_destination_addresses")
        + ("allowed_sender_addresses", "remote"),
    ),
    Kind("dispatch_namespaces", "Dispatch Namespace", optional=("namespace", "outbound", "remote")),
    Kind("mtls_certificates", "mTLS Certificate", required=("certificate_id",), optional=_REMOTE),
    Kind("pipelines", "Pipeline", optional=("pipeline", "stream", "remote")),
    Kind("worker_loaders", "Worker Loader"),
    Kind("vpc_services", "VPC Service", required=("service_id",), optional=_REMOTE),
    Kind("vpc_networks", "VPC Network", optional=("tunnel_id", "network_id", "remote")),
    Kind("artifacts", "Artifacts", required=("namespace",), optional=_REMOTE),
    Kind("flagship", "Flagship", required=("app_id",), optional=_REMOTE),
    Kind("unsafe_hello_world", "Hello World", optional=("enable_timer",)),
    Kind("ai_search", "AI Search", optional=None),
    Kind("ai_search_namespaces", "AI Search Namespace", optional=None),
    Kind("agent_memory", "Agent Memory", optional=None),
    Kind("unsafe", "Unsafe", key="bindings", name_key="name", required=("type",), optional=None),
)
