"""Every documented key of the wrangler configuration: where it may be and what is done with it.

Tables only; `environments.py` and `unsupported.py` apply them.
Source: docs/platform/configuration.md, "Environments" and "Unknown keys".
"""

from __future__ import annotations

# Taken from the environment if it is there, else from the top level; never merged.
INHERITABLE = frozenset(
    """
    access account_id assets base_dir build cache compatibility_date compatibility_flags
    compliance_region exports find_additional_modules first_party_worker jsx_factory jsx_fragment
    keep_names limits logfwdr logpush main migrations minify name no_bundle observability placement
    preserve_file_names preview_urls previews python_modules route routes rules triggers tsconfig
    upload_source_maps workers_dev
    """.split()
)

# Taken from the environment only: a value on the top level is not seen by a named environment.
NOT_INHERITABLE = frozenset(
    """
    agent_memory ai ai_search ai_search_namespaces analytics analytics_engine_datasets artifacts
    browser cloudchamber connect containers d1_databases define dispatch_namespaces durable_objects
    flagship hyperdrive images k2 kv_namespaces media mtls_certificates pipelines queues r2_buckets
    ratelimits secrets secrets_store_secrets send_email services stream streaming_tail_consumers
    tail_consumers unsafe unsafe_hello_world vars vectorize version_metadata vpc_networks
    vpc_services websearch worker_loaders workflows
    """.split()
)

TOP_LEVEL_ONLY = frozenset(
    """
    $schema addresses alias data_blobs dependencies_instrumentation dev env keep_vars
    pages_build_output_dir send_metrics site text_blobs wasm_modules
    """.split()
)

TOP_LEVEL = INHERITABLE | NOT_INHERITABLE | TOP_LEVEL_ONLY
IN_ENVIRONMENT = INHERITABLE | NOT_INHERITABLE

# What Groundfog acts on, beside the sections of the kinds of bindings in `emulator/kinds/`.
EMULATED = frozenset(
    "$schema compatibility_date compatibility_flags dev env main name secrets vars".split()
)

# How TypeScript and JavaScript are bundled. For a Python worker, those in the second list would
# change what it does, and are not emulated; the others have no meaning.
BUNDLING_ALONE = frozenset(
    """
    find_additional_modules jsx_factory jsx_fragment keep_names minify no_bundle preserve_file_names
    tsconfig
    """.split()
)
BUNDLING = BUNDLING_ALONE | frozenset("alias base_dir build define rules".split())

# What only matters when deploying, or has no meaning on one machine: accepted silently.
# `migrations` and `exports` say which classes are Durable Objects; the kind of those reads both.
SILENT = frozenset(
    """
    account_id addresses cache compliance_region dependencies_instrumentation exports
    first_party_worker keep_vars limits logfwdr logpush migrations observability placement
    preview_urls previews python_modules route routes send_metrics upload_source_maps workers_dev
    """.split()
)

# Documented, and would change what the worker does here. One warning names those in use, unless a
# kind in `emulator/kinds/` reads it, or the worker is bundled.
NOT_EMULATED = TOP_LEVEL - EMULATED - SILENT - BUNDLING_ALONE - {"pages_build_output_dir"}

# Removed from wrangler, with its own words for what to do instead.
REMOVED = {
    "legacy_env": "Every [env.NAME] is a Worker of its own now. Remove the key.",
    "node_compat": 'Remove it and add compatibility_flags = ["nodejs_compat"].',
    "usage_model": "Set it in the Cloudflare dashboard. Remove the key.",
    "type": 'Remove the key: wrangler takes the kind of worker from "main".',
    "webpack_config": 'Remove the key; "build.command" runs a build of your own.',
}

DEV_EMULATED = frozenset({"host", "ip", "local_protocol", "port"})
DEV_SILENT = frozenset(
    {"container_engine", "enable_containers", "generate_types", "inspector_ip", "inspector_port"}
)
DEV_NOT_EMULATED = frozenset({"upstream_protocol"})
DEV = DEV_EMULATED | DEV_SILENT | DEV_NOT_EMULATED
