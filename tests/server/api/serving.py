"""One running `groundfog dev` for the tests of the API, and a client for each base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.end_to_end.server import DevServer
from tests.waiting import eventually

V4 = "/client/v4/accounts/0123456789abcdef0123456789abcdef/workflows"
EXPLORER = "/cdn-cgi/local/explorer/api/workflows"

# What an instance does is said by its params.
RUN = """
async def run(self, event, step):
    payload = event["payload"]

    @step.do("greet")
    async def greet():
        return "hello " * payload.get("times", 1)

    @step.do("secret", config={"sensitive": "output"})
    async def secret():
        return "hunter2"

    @step.do("export", config=payload.get("config"))
    async def export():
        return Response(payload["text"]).body

    @step.do("broken", config={"retries": {"limit": 0, "delay": 0}})
    async def broken():
        raise NonRetryableError("never")

    @step.do("book", rollback=self.cancel, rollback_config={"timeout": "1 minute"})
    async def book():
        return {"id": 7}

    greeting = await greet()
    match payload.get("do"):
        case "wait":
            answer = await step.wait_for_event("answer", "answered", timeout="1 hour")
            return answer["payload"]
        case "sleep":
            await step.sleep("nap", "1 hour")
        case "export":
            return len(await (await export()).to_bytes())
        case "secret":
            return len(await secret())
        case "book":
            await book()
            await step.sleep("stay", "1 hour")
        case "fail":
            await broken()
        case "echo":
            return payload
    return greeting

async def cancel(self, rollback):
    await self.ran(f"cancelled {rollback.output.id}")
"""


@dataclass(frozen=True)
class Api:
    """One base of the API on a running server."""

    server: DevServer
    base: str

    def ask(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        """Send a request to a path under `/workflows`."""
        return self.server.client.request(method, self.base + path, **options)

    def get(self, path: str = "", **query: Any) -> Any:
        """GET a result."""
        return self.result("GET", path, params=query)

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON; return the result."""
        return self.result("POST", path, json=body)

    def patch(self, instance: str, body: Any) -> Any:
        """PATCH the status of an instance; return the result."""
        return self.result("PATCH", f"/flow/instances/{instance}/status", json=body)

    def result(self, method: str, path: str, **options: Any) -> Any:
        """Send a request that must succeed; return its result."""
        response = self.ask(method, path, **options)
        body = response.json()
        assert response.status_code == 200 and body["success"], response.text
        assert body["errors"] == []
        return body["result"]

    def error(self, method: str, path: str, **options: Any) -> tuple[int, int, str]:
        """Send a request that must fail; return HTTP status, code and message."""
        response = self.ask(method, path, **options)
        body = response.json()
        assert body["success"] is False and body["result"] is None, response.text
        (error,) = body["errors"]
        return response.status_code, error["code"], error["message"]

    def create(self, instance: str, **params: Any) -> str:
        """Create an instance with these params; return its id."""
        body = {"instance_id": instance, "params": params}
        created = self.post("/flow/instances", body)
        assert created["id"] == instance
        return instance

    def detail(self, instance: str, **query: Any) -> dict[str, Any]:
        """Return the detail of an instance."""
        detail = self.get(f"/flow/instances/{instance}", **query)
        assert isinstance(detail, dict)
        return detail

    def until(self, instance: str, status: str, steps: int = 0) -> dict[str, Any]:
        """Wait until an instance has this status and at least so many steps."""

        def reached() -> dict[str, Any] | None:
            detail = self.detail(instance)
            there = detail["status"] == status and detail["step_count"] >= steps
            return detail if there else None

        return eventually(reached)
