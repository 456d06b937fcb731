"""What both servers are asked: every answer as plain JSON, under the name of its case."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

from tests.waiting import eventually

Answers = dict[str, Any]  # case -> what was answered

BINDINGS = ("variables", "d1", "kv", "r2", "small", "objects", "others")
EMAILS = ("forward", "reject", "reply", "wrong reply", "fail", "")  # by their subject
# Workflows that end by themselves; the class has a method for each.
FLOWS = tuple(
    """values kinds context retries misuse parallel nested settled timesOut sleeps event stream
    instance unserialisable raises raisesText uncaught rollback returnsFunction quick""".split()
)
RESPONSES = tuple(
    """text json empty unchanged redirect cookies stream length bytes teapot gzip later rewritten
    cached throws nothing wrong absent""".split()
)
REQUESTS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "plain": ("GET", "/request", {}),
    "query": ("GET", "/request/a%20b/%C3%BC?x=1&x=2&y=%26", {}),
    "headers": ("GET", "/request", {"headers": {"X-Own": "a", "Cookie": "k=v", "CF-Ray": "mine"}}),
    "text": ("POST", "/request", {"content": "ü".encode(), "headers": {"content-type": "text/x"}}),
    "json": ("PUT", "/request", {"json": {"a": 1}}),
    "form": ("POST", "/request", {"data": {"a": "1", "b": "ü"}}),
    "files": ("POST", "/request", {"data": {"a": "1"}, "files": {"f": ("f.txt", b"in it")}}),
    "delete": ("DELETE", "/request", {}),
    "options": ("OPTIONS", "/request", {"headers": {"Origin": "https://example.com"}}),
    "head": ("HEAD", "/response/text", {}),
    "posted": ("POST", "/response/redirect", {"content": b""}),
}
DROPPED = frozenset({"date", "connection", "keep-alive"})
ENDED = ("complete", "errored", "terminated")


def answers(client: httpx.Client) -> Answers:
    """Ask everything, in an order in which no answer depends on chance."""
    client.headers["accept-encoding"] = "identity"  # wrangler would answer with gzip
    found: Answers = {}
    found |= {f"create {name}": _flow(client, "create", body=_new(name)) for name in FLOWS}
    client.get("/send")
    client.get("/cdn-cgi/handler/scheduled", params={"cron": "0 0 1 1 *"})
    found |= {f"binding {name}": client.get(f"/case/{name}").json() for name in BINDINGS}
    for name in RESPONSES:
        headers = {"accept": "text/plain", "user-agent": "side-by-side"}
        found[f"response {name}"] = _shown(client.get(f"/response/{name}", headers=headers))
    for name, (method, path, options) in REQUESTS.items():
        found[f"request {name}"] = _shown(client.request(method, path, **options))
    found |= {f"email {name}": _emailed(client, name) for name in EMAILS}
    found |= _operations(client)
    found |= {f"flow {name}": _until(client, name, *ENDED) for name in FLOWS}
    found["scheduled"] = _kept(client, "scheduled", 1)
    found["rolled back"] = _kept(client, "rollback", 1)
    found["queue"] = _kept(client, "queue", 4)
    return found


def _operations(client: httpx.Client) -> Answers:
    """Do to instances what can be done to them."""
    found: Answers = {}

    def do(case: str, operation: str, instance: str = "waits", body: Any = None) -> None:
        found[case] = _flow(client, operation, instance, body)

    _flow(client, "create", body=_new("waits"))
    do("create a second time", "create", "", _new("waits"))
    do(
        "create several",
        "batch",
        "",
        [_new("quick", "b1"), _new("quick", "b2"), _new("quick", "b1")],
    )
    found["flow that waits"] = _until(client, "waits", "waiting", "running")
    do("pause", "pause")
    found["flow that is paused"] = _until(client, "waits", "paused")
    do("pause again", "pause")
    do("resume", "resume")
    do("event of another type", "event", body={"type": "other", "payload": 1})
    do("event with a wrong type", "event", body={"type": "not good!"})
    do("event", "event", body={"type": "approved", "payload": {"by": ["me"]}})
    found["flow with an event"] = _until(client, "waits", *ENDED)
    for operation in ("pause", "resume", "terminate"):
        do(f"{operation} what has ended", operation)
    do("event to what has ended", "event", body={"type": "approved"})
    _flow(client, "create", body=_new("waits", "again"))
    do("terminate", "terminate", "again")
    found["flow that is terminated"] = _until(client, "again", "terminated")
    do("restart", "restart", "again")
    found["flow that is restarted"] = _until(client, "again", "waiting", "running")
    do("status of nobody", "status", "nobody")
    return found


def _emailed(client: httpx.Client, subject: str) -> Any:
    """Hand an email over; one without a subject has no id either."""
    fields = f"Subject: {subject}\nMessage-ID: <1@example.com>\nBcc: z@example.com\n"
    raw = f"From: a@example.com\nTo: b@example.com\n{fields if subject else ''}\nHello"
    query = {"from": "a@example.com", "to": "b@example.com", "format": "json"}
    answer = client.post("/cdn-cgi/handler/email", params=query, content=raw)
    if not answer.headers["content-type"].startswith("application/json"):
        return [answer.status_code, answer.text]
    text = re.sub(r"<[A-Za-z0-9]{36}@", "<ID@", answer.text)
    text = re.sub(r'"timestamp":"[^"]*"', '"timestamp":"T"', text.replace('": "', '":"'))
    return [answer.status_code, json.loads(text)]


def _new(case: str, instance: str = "") -> dict[str, Any]:
    return {"id": instance or case, "params": {"case": case, "text": "ü", "list": [None, 1.5]}}


def _flow(client: httpx.Client, operation: str, instance: str = "", body: Any = None) -> Any:
    return client.post(f"/flow/{operation}/{instance}", json=body).json()


def _until(client: httpx.Client, instance: str, *wanted: str) -> Any:
    def look() -> Any:
        found = _flow(client, "status", instance)
        return found if found["status"].get("status") in wanted else None

    return eventually(look)


def _kept(client: httpx.Client, key: str, count: int) -> Any:
    """Return what handlers of the worker have kept, once it is so much."""

    def look() -> Any:
        found = client.get(f"/kept/{key}").json()
        return found if len(found) >= count else None

    return eventually(look)


def _shown(response: httpx.Response) -> Any:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.multi_items():
        if name not in DROPPED:
            headers.setdefault(name, []).append(value)
    is_json = response.headers.get("content-type", "").startswith("application/json")
    body = response.json() if is_json and response.content else response.text
    return {"status": response.status_code, "headers": headers, "body": body}
