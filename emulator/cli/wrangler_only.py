"""Commands of wrangler's that are about Cloudflare: one sentence for each, instead of a riddle."""

from __future__ import annotations

import click

from emulator.errors import UsageError

_ACCOUNT = "Groundfog needs no account and never asks Cloudflare; use `wrangler {name}`."
_THERE = "is about what runs at Cloudflare, and Groundfog knows only this machine; use `wrangler"
_CONFIGURED = "come from the configuration, and need not be created here: write"
SENTENCES = {
    **dict.fromkeys(["login", "logout", "whoami", "auth"], _ACCOUNT),
    "deploy": "`wrangler deploy` puts the worker on Cloudflare; Groundfog only runs it here.",
    "secret": "Secrets for local runs are lines of .dev.vars (KEY=value); for deployed ones use"
    " `wrangler secret`.",
    "tail": "The terminal of `groundfog dev` shows the logs; those of a deployed worker,"
    " `wrangler tail`.",
    "build": "`groundfog dev` builds by itself; `wrangler deploy --dry-run --outdir DIR` writes the"
    " bundle.",
    **{
        name: f"`{name}` {_THERE} {name}`."
        for name in (
            *("deployments", "versions", "rollback", "delete", "triggers", "pages", "hyperdrive"),
            *("dispatch-namespace", "cert", "mtls-certificate", "pipelines", "containers", "email"),
            *("cloudchamber", "browser", "tunnel", "vpc", "artifacts", "turnstile", "basin", "k2"),
            *("agent-memory", "ai-search", "flagship", "hello-world", "preview", "ai finetune"),
            *("email routing", "email sending", "queues subscription", "r2 sql"),
            *(
                f"r2 bucket {name}"
                for name in ("catalog", "cors", "dev-url", "domain", "lifecycle")
            ),
            *(f"r2 bucket {name}" for name in ("local-uploads", "lock", "notification", "sippy")),
            "r2 bucket update",
        )
    },
    "generate": "A new project comes from `groundfog init`.",
    "setup": "A new project comes from `groundfog init`; one that exists needs no change here.",
    "docs": "The documentation is at https://developers.cloudflare.com/workers/.",
    **dict.fromkeys(["telemetry", "metrics"], "Groundfog sends no telemetry."),
    "d1 create": f"Databases {_CONFIGURED} [[d1_databases]], binding and database_name.",
    "d1 insights": f"`d1 insights` {_THERE} d1 insights`.",
    "d1 time-travel": "There is no Time Travel here; `groundfog state save` keeps a state.",
    "kv namespace create": f"Namespaces {_CONFIGURED} [[kv_namespaces]] with binding and id.",
    "kv namespace delete": "A namespace is in the configuration; delete its keys with"
    " `groundfog kv bulk delete`.",
    "kv namespace rename": "A namespace has its name in the configuration, the key binding.",
    "r2 bulk": "`groundfog r2 object put` writes one object; a loop in the shell writes many.",
    "r2 bucket create": f"Buckets {_CONFIGURED} [[r2_buckets]] with binding and bucket_name.",
    "r2 bucket delete": "A bucket is in the configuration; delete what is in it with"
    " `groundfog r2 object delete`.",
    "queues consumer": f"Consumers {_CONFIGURED} [[queues.consumers]] with queue.",
    "queues update": "What is set of a queue is in the configuration: [[queues.producers]] and"
    " [[queues.consumers]].",
    "queues create": f"Queues {_CONFIGURED} [[queues.producers]] with binding and queue.",
    **dict.fromkeys(
        ["secrets-store secret get", "secrets-store secret duplicate"],
        "No command shows the value of a secret; the worker reads it with `await env.NAME.get()`.",
    ),
    "secrets-store secret update": "`groundfog secrets-store secret create` writes a secret anew.",
    "secrets-store store": f"Stores {_CONFIGURED} [[secrets_store_secrets]] with store_id.",
    "workflows instances terminate-all": "`groundfog workflows instances terminate NAME ID` ends"
    " one instance; `groundfog state reset` deletes all.",
    "queues delete": "A queue is in the configuration; `groundfog queues purge` empties it.",
}
OPTIONS = {  # of `dev`
    **dict.fromkeys(["--remote", "-r"], "Everything runs on this machine; use `wrangler dev`."),
    **dict.fromkeys(
        ["--tunnel", "--tunnel-name", "--tunnel-allowed-mail"],
        "No tunnel leads here; `--ip '*'` lets other machines of your network connect.",
    ),
    "--assets": "Write [assets] with directory in the configuration.",
    "--types": "`groundfog types` writes them.",
    "--inspector-ip": "Debuggers attach on 127.0.0.1 only; --inspector-port chooses the port.",
    **dict.fromkeys(
        ["--local-upstream", "--infer-origin-from-routes"],
        "--host NAME is the host that the worker sees.",
    ),
    "--upstream-protocol": "--local-protocol is the protocol that the worker sees.",
}


def stand_in(path: str) -> click.Command | None:
    """Return a command that says where `path`, such as `"d1 create"`, has a meaning."""
    sentence = SENTENCES.get(path)
    if sentence is None:
        return None

    def refuse() -> None:
        raise UsageError(sentence.format(name=path))

    return click.Command(
        path,
        callback=refuse,
        hidden=True,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
