"""Queues over REST: what there is, sending, pulling, settling, purging, for both bases of the API.

Source: docs/platform/queues.md, "REST".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.routing import Route

from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import WorkerError
from emulator.kinds.queues import KIND, Consumer, Producer, queue_names
from emulator.server.api.bases import BASES
from emulator.server.api.bodies import object_body
from emulator.server.api.created import add, created, forget, text_of
from emulator.server.api.envelope import INTERNAL, Answer, ApiError, endpoint
from emulator.server.api.parameters import bad, whole_number
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.queues.broker import Message
    from bindings.queues.queue import Queue

NO_QUEUE, NAME_IN_USE = 11_000, 11_009
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
PULL_MAX = 100
PEEK_MAX = 100

Handler = Callable[[Worker, str, "Queue", Request], Awaitable[Answer]]


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    table: list[tuple[str, str, Handler]] = [
        ("GET", "", _show),
        ("DELETE", "", _delete),
        ("PATCH", "", _change),
        ("PUT", "", _change),
        ("GET", "/consumers", _list_consumers),
        ("GET", "/metrics", _metrics),
        ("POST", "/purge", _purge),
        ("GET", "/purge", _purged),
        ("POST", "/messages", _send),
        ("POST", "/messages/batch", _send_batch),
        ("POST", "/messages/pull", _pull),
        ("POST", "/messages/peek", _peek),
        ("POST", "/messages/ack", _settle),
    ]
    found = []
    for base in BASES:
        whole = endpoint(partial(_list, worker))
        found.append(Route(f"{base}/queues", whole, methods=["GET"]))
        made = endpoint(partial(_create, worker))
        found.append(Route(f"{base}/queues", made, methods=["POST"]))
        for method, rest, handler in table:
            asked = endpoint(partial(_on_queue, worker, handler))
            found.append(Route(f"{base}/queues/{{queue}}{rest}", asked, methods=[method]))
    return found


def queue_id(name: str) -> str:
    """Return the id by which the API knows a queue."""
    return sha256(name.encode()).hexdigest()[:32]


def names(worker: Worker) -> list[str]:
    """Return every queue: those of the configuration, dead letters too, and created ones."""
    return sorted({*queue_names(worker.config), *created(worker, KIND)})


async def _create(worker: Worker, request: Request) -> Answer:
    """POST …/queues `{queue_name}`."""
    name = text_of(await object_body(request), "queue_name")
    if not _NAME.fullmatch(name):
        raise bad("queue_name has 1 to 63 lower case letters, digits and hyphens between them")
    if name in names(worker):
        raise ApiError(409, NAME_IN_USE, f"Queue name '{name}' is already taken.")
    add(worker, KIND, name, {"created": iso(SystemClock().now_ms())})
    return Answer(_shown(worker, name))


async def _delete(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """DELETE …/queues/{id}, with its messages."""
    if name in queue_names(worker.config):
        raise bad(f"{name} is in the configuration. Remove it there, before you delete it.")
    await queue.broker.purge(name)
    forget(worker, KIND, name)
    return Answer(None)


async def _list(worker: Worker, request: Request) -> Answer:
    """GET …/queues?name=&page=."""
    wanted = request.query_params.get("name")
    found = [name for name in names(worker) if wanted in (None, name)]
    page = whole_number(request, "page", 1)
    per_page = whole_number(request, "per_page", 100, 100)
    shown = [_shown(worker, name) for name in found[(page - 1) * per_page :][:per_page]]
    info = {
        "page": page,
        "per_page": per_page,
        "count": len(shown),
        "total_count": len(found),
        "total_pages": max(1, -(-len(found) // per_page)),
    }
    return Answer(shown, info)


async def _on_queue(worker: Worker, handler: Handler, request: Request) -> Answer:
    from bindings.queues.rules import Refused

    wanted = request.path_params["queue"]
    name = next((each for each in names(worker) if wanted in (each, queue_id(each))), None)
    if name is None:
        raise ApiError(404, NO_QUEUE, f"Queue not found: there is no queue '{wanted}'")
    queue = cast("Queue", worker.opened(KIND, Producer(name)))
    try:
        return await handler(worker, name, queue, request)
    except Refused as refused:
        raise ApiError(refused.status, INTERNAL, refused.text) from None
    except WorkerError as error:
        raise ApiError(500, INTERNAL, error.message) from None


def _shown(worker: Worker, name: str) -> dict[str, Any]:
    queue = cast("Queue", worker.opened(KIND, Producer(name)))
    producers = [each.record for each in worker.config.bound(Producer)]
    sends = [each for each in producers if each.queue == name]
    consumers = _consumers(worker, name)
    when = iso(worker.started_ms)
    script = worker.config.name
    return {
        "queue_id": queue_id(name),
        "queue_name": name,
        "created_on": when,
        "modified_on": when,
        "producers": [{"type": "worker", "script": script} for _ in sends[:1]],
        "producers_total_count": min(1, len(sends)),
        "consumers": consumers,
        "consumers_total_count": len(consumers),
        "settings": {
            "delivery_delay": sends[0].delay_s if sends else 0,
            "message_retention_period": 345_600,
            "delivery_paused": queue.broker.is_paused(name),
        },
    }


def _consumers(worker: Worker, name: str) -> list[dict[str, Any]]:
    found = []
    for bound in worker.config.bound(Consumer):
        consumer = bound.record
        if consumer.queue != name:
            continue
        shown: dict[str, Any] = {
            "consumer_id": queue_id(f"consumer of {name}"),
            "queue_name": name,
            "type": "http_pull" if consumer.pulls else "worker",
            "settings": {
                "batch_size": consumer.batch_size,
                "max_retries": consumer.retries,
                "max_wait_time_ms": consumer.timeout_ms,
                "retry_delay": consumer.retry_delay_s,
                "max_concurrency": consumer.concurrency,
            },
        }
        if consumer.dead_letters:
            shown["dead_letter_queue"] = consumer.dead_letters
        if not consumer.pulls:
            shown["script"] = shown["script_name"] = worker.config.name
        found.append(shown)
    return found


async def _show(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """GET …/{queue}: by name or id."""
    return Answer(_shown(worker, name))


async def _change(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """PATCH …/{queue}: `{settings: {delivery_paused}}`; the rest is the configuration's."""
    settings = (await object_body(request)).get("settings")
    paused = settings.get("delivery_paused") if isinstance(settings, dict) else None
    if isinstance(paused, bool):
        await queue.broker.pause(name, paused)
    return Answer(_shown(worker, name))


async def _list_consumers(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """GET …/consumers."""
    return Answer(_consumers(worker, name))


async def _metrics(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """GET …/metrics."""
    found = queue.broker.metrics(name)
    return Answer(
        {
            "backlog_count": found.count,
            "backlog_bytes": found.bytes,
            "oldest_message_timestamp_ms": found.oldest_ms,
        }
    )


async def _purge(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """POST …/purge: `{delete_messages_permanently: true}`."""
    if (await object_body(request)).get("delete_messages_permanently") is not True:
        raise bad("'delete_messages_permanently' is missing; expected true")
    await queue.broker.purge(name)
    return Answer(_shown(worker, name))


async def _purged(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """GET …/purge: it is always complete."""
    return Answer({"completed": True, "started_at": iso(worker.started_ms)})


async def _send(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """POST …/messages: `{body, content_type?, delay_seconds?}`."""
    body = await object_body(request)
    sent = await queue.send([_read(body)], body.get("delay_seconds"), is_batch=False)
    return Answer(sent)


async def _send_batch(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """POST …/messages/batch: `{messages, delay_seconds?}`."""
    body = await object_body(request)
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise bad("'messages' is missing; expected a list of objects")
    read = [
        {**_read(cast("dict[str, Any]", each)), "delaySeconds": _field(each, "delay_seconds")}
        for each in messages
    ]
    return Answer(await queue.send(read, body.get("delay_seconds"), is_batch=True))


def _field(each: Any, name: str) -> Any:
    return each.get(name)


def _read(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as the producer sends it. Raises ApiError."""
    kind = message.get("content_type") or ("text" if _is_text(message) else "json")
    body = message.get("body")
    if kind == "bytes":
        try:
            content = base64.b64decode(body if isinstance(body, str) else "?", validate=True)
        except (binascii.Error, ValueError):
            raise bad("'body' is not base64, as it must be for bytes") from None
    elif kind == "text" and isinstance(body, str):
        content = body.encode("utf-8", "replace")
    elif kind == "json":
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    else:
        raise bad(f"'content_type' is '{kind}'; expected json, text or bytes and such a body")
    return {"body": content, "contentType": kind}


def _is_text(message: dict[str, Any]) -> bool:
    return isinstance(message.get("body"), str)


async def _pull(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """POST …/messages/pull: `{batch_size?, visibility_timeout_ms?}`."""
    from bindings.queues.rules import LEASE_MAX_MS, LEASE_MS

    consumers = [each.record for each in worker.config.bound(Consumer)]
    consumer = next((each for each in consumers if each.queue == name), Consumer(name, pulls=True))
    if not consumer.pulls:
        text = f"queue {name} is consumed by the worker {worker.config.name}: nothing can be pulled"
        raise ApiError(405, INTERNAL, text)
    body = await object_body(request)
    limit = _number(body, "batch_size", 5, PULL_MAX)
    lease_ms = _number(body, "visibility_timeout_ms", LEASE_MS, LEASE_MAX_MS)
    pulled = await queue.broker.pull(name, limit, lease_ms)
    alive = [each for each in pulled if each.message.attempts <= consumer.retries]
    dead = [each.message for each in pulled if each.message.attempts > consumer.retries]
    if dead:
        from bindings.queues.broker import Settled

        await queue.broker.settle(name, Settled((), (), dead), consumer.dead_letters)
    shown = [{**_message(each.message, 1), "lease_id": each.lease} for each in alive]
    return Answer({"messages": shown, "message_backlog_count": queue.broker.metrics(name).count})


async def _peek(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """POST …/messages/peek: `{batch_size?}`; nothing changes."""
    limit = _number(await object_body(request), "batch_size", 5, PEEK_MAX)
    return Answer({"messages": [_message(each, 0) for each in queue.broker.peek(name, limit)]})


async def _settle(worker: Worker, name: str, queue: Queue, request: Request) -> Answer:
    """POST …/messages/ack: `{acks: [{lease_id}], retries: [{lease_id, delay_seconds?}]}`."""
    from bindings.queues.rules import to_delay

    body = await object_body(request)
    acks = [lease for lease, _ in _leases(body, "acks")]
    retries = [(lease, to_delay(delay) or 0) for lease, delay in _leases(body, "retries")]
    acked, retried = await queue.broker.release(name, acks, retries)
    return Answer({"ackCount": acked, "retryCount": retried, "warnings": {}})


def _leases(body: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    items = body.get(key) or []
    if not isinstance(items, list):
        raise bad(f"'{key}' is not a list")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("lease_id"), str):
            raise bad(f"an item of '{key}' has no lease_id")
    return [(item["lease_id"], item.get("delay_seconds")) for item in items]


def _message(message: Message, more: int) -> dict[str, Any]:
    is_text = message.content_type in ("text", "json")
    body = message.body.decode("utf-8", "replace") if is_text else _base64(message.body)
    return {
        "id": message.id,
        "body": body,
        "attempts": message.attempts + more,
        "timestamp_ms": message.created_ms,
        "metadata": {"CF-Content-Type": message.content_type},
    }


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _number(body: dict[str, Any], key: str, default: int, largest: int) -> int:
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise bad(f"'{key}' is {json.dumps(value)}; expected a whole number from 1 to {largest}")
    return value
