"""The kinds of bindings that are not emulated: their shapes, and wrangler's names for them.

A table only; `unsupported.py` walks it. What `emulator/kinds/` emulates is not looked up here.
Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

_AT_CLOUDFLARE = (
    "It exists at Cloudflare only. Try it with wrangler dev, whose remote = true reaches it, "
    "and put an object of your own in its place here."
)


class Other(Struct, frozen=True):
    """`key` is the list or object under the configuration key `section`, "" for the section itself.

    `name_key` holds the name on `env`. `optional` None means: further keys are not checked, because
    they are not documented. `instead`: what to do, for the error that its use raises.
    """

    section: str
    friendly: str
    shape: Literal["list", "object"] = "list"
    key: str = ""
    name_key: str = "binding"
    name_required: bool = True
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] | None = ()
    instead: str = _AT_CLOUDFLARE

    @property
    def config_key(self) -> str:
        """What messages call it: `queues.producers`."""
        return f"{self.section}.{self.key}" if self.key else self.section


_REMOTE = ("remote",)

_IN_YOUR_NETWORK = (
    "Cloudflare's tunnel leads to it. From this machine, fetch() the address of the service itself."
)
_SEARCH = (
    "It searches at Cloudflare. Search with env.AI and a vectorize binding here, which are "
    "emulated, or use wrangler dev with remote = true."
)

OTHER_KINDS = (
    Other("k2", "K2 Stream", required=("stream",), optional=_REMOTE),
    Other(
        "browser",
        "Browser",
        "object",
        optional=_REMOTE,
        instead="Browsers run at Cloudflare. Use one of your own here, such as Playwright's behind "
        "an address that you fetch, or wrangler dev with remote = true.",
    ),
    Other("media", "Media", "object", optional=_REMOTE),
    Other("stream", "Stream", "object", optional=_REMOTE),
    Other(
        "websearch",
        "Web Search",
        "object",
        optional=_REMOTE,
        instead="wrangler has removed this key; env.AI.websearch() took its place.",
    ),
    Other(
        "pipelines",
        "Pipeline",
        optional=("pipeline", "stream", "remote"),
        instead="Pipelines run at Cloudflare. Write to an R2 bucket or a queue here, which are "
        "emulated, or use wrangler dev with remote = true.",
    ),
    Other(
        "vpc_services",
        "VPC Service",
        required=("service_id",),
        optional=_REMOTE,
        instead=_IN_YOUR_NETWORK,
    ),
    Other(
        "vpc_networks",
        "VPC Network",
        optional=("tunnel_id", "network_id", "remote"),
        instead=_IN_YOUR_NETWORK,
    ),
    Other("artifacts", "Artifacts", required=("namespace",), optional=_REMOTE),
    Other("flagship", "Flagship", required=("app_id",), optional=_REMOTE),
    Other(
        "unsafe_hello_world",
        "Hello World",
        optional=("enable_timer",),
        instead="It is an example for people who work on wrangler. Remove it.",
    ),
    Other(
        "ai_search",
        "AI Search",
        required=("instance_name",),
        optional=_REMOTE,
        instead=_SEARCH,
    ),
    Other(
        "ai_search_namespaces",
        "AI Search Namespace",
        required=("namespace",),
        optional=_REMOTE,
        instead=_SEARCH,
    ),
    Other("agent_memory", "Agent Memory", required=("namespace",), optional=_REMOTE),
    Other(
        "unsafe",
        "Unsafe",
        key="bindings",
        name_key="name",
        required=("type",),
        optional=None,
        instead="wrangler passes it on to Cloudflare unseen, so nobody here knows what it is.",
    ),
)
