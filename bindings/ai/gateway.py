"""`env.AI.gateway(id)`: there is no gateway here, so calls go directly to the models.

Logs are the ledger's entries of calls that named a gateway.
Source: docs/platform/workers-ai.md, "AI Gateway".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bindings.ai.delivery import raw_answer, raw_response, to_json
from bindings.ai.errors import http_status, not_emulated
from bindings.ai.ledger import Ledger
from bindings.messages import shortened, shown
from emulator.errors import WorkerError

BASE_URL = "https://gateway.ai.cloudflare.com/v1"
ACCOUNT = "local"
HOME_PROVIDER = "workers-ai"
LOG_NOTES = ("score", "feedback", "metadata")

Run = Callable[[str, Any], Awaitable[Any]]


class Gateway:
    """`getUrl`, `run`, `getLog` and `patchLog` of every gateway."""

    def __init__(self, run: Run, ledger: Ledger) -> None:
        self._run = run
        self._ledger = ledger

    async def call(self, gateway_id: Any, method: Any, args: Any) -> Any:
        """Return the answer of one method; raises WorkerError."""
        values = list(args or [])
        match method:
            case "getUrl":
                provider = values[0] if values and values[0] else ""
                return f"{BASE_URL}/{ACCOUNT}/{gateway_id}/{provider}"
            case "run":
                return await self._universal(values[0] if values else None)
            case "getLog":
                return self._log(str(values[0]) if values else "")
            case "patchLog":
                log_id = str(values[0]) if values else ""
                self._log(log_id)
                notes = values[1] if len(values) > 1 and isinstance(values[1], Mapping) else {}
                self._ledger.annotate(log_id, {k: v for k, v in notes.items() if k in LOG_NOTES})
                return None
            case _:
                raise not_emulated(f"env.AI.gateway().{method}", "docs/workers-ai.md has a list.")

    async def _universal(self, data: Any) -> Any:
        """Return the answer of the first request that succeeds, as the universal endpoint does.

        Returns `{status, headers, body}`, or a ByteStream.
        """
        requests = data if isinstance(data, list) else [data]
        if not requests:
            raise WorkerError("run of a gateway needs at least one request")
        error = WorkerError("no request was answered")
        for request in requests:
            if not isinstance(request, Mapping):
                raise WorkerError(
                    f"a gateway request must be an object, and is {shortened(request)}"
                )
            if request.get("provider") != HOME_PROVIDER:
                raise not_emulated(
                    f"the provider {shown(request.get('provider'))} of AI Gateway",
                    f'Requests to "{HOME_PROVIDER}" are answered.',
                )
            try:
                return raw_answer(
                    await self._run(str(request.get("endpoint")), request.get("query"))
                )
            except WorkerError as raised:
                error = raised
        return _failed(error)

    def _log(self, log_id: str) -> dict[str, Any]:
        entry = self._ledger.gateway_log(log_id)
        if entry is None:
            raise WorkerError(f"AI Gateway log {log_id} was not found", name="AiGatewayLogNotFound")
        return {
            "id": log_id,
            "provider": HOME_PROVIDER,
            "model": entry["model"],
            "model_type": entry["task"],
            "path": f"run/{entry['model']}",
            "duration": entry.get("latency_ms", 0),
            "request_type": "",
            "success": "error" not in entry,
            "cached": False,
            "tokens_in": entry.get("tokens_in", 0),
            "tokens_out": entry.get("tokens_out", 0),
            "cost": entry.get("usd", 0),
            "status_code": 200 if "error" not in entry else 500,
            "step": 0,
            "created_at": datetime.fromtimestamp(entry["at_ms"] / 1000, UTC).isoformat(),
            **{name: note for name, note in entry.items() if name in LOG_NOTES},
        }


def _failed(error: WorkerError) -> dict[str, Any]:
    told = {"success": False, "errors": [{"code": error.code or 0, "message": error.message}]}
    return raw_response(http_status(error.code), "application/json", to_json(told))
