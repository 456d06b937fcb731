"""The HTTP protocol of workerd's queue client: a request's parts in, a response's parts out.

Owns paths, headers and the JSON of both directions. It opens no socket: its caller serves it. The
client shows the reason phrase of an error to user code.
Source: docs/platform/queues.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bindings.http import HttpAnswer, json_answer
from bindings.queues.queue import Queue
from bindings.queues.rules import Refused
from emulator.errors import WorkerError

FORMAT, DELAY = "x-msg-fmt", "x-msg-delay-secs"


async def answer(
    queue: Queue, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer one request of the client on `queue`.

    `target` is the path with its query, or a whole URL; the names in `headers` are lower case.
    `POST /message` with the body and its `x-msg-fmt` gives `{"metadata": {"metrics": {…}}}`.
    """
    try:
        match method, urlsplit(target).path:
            case "POST", "/message":
                message = {"body": body, "contentType": headers.get(FORMAT, "v8")}
                sent = await queue.send([message], headers.get(DELAY), is_batch=False)
                return json_answer(200, sent)
            case "POST", "/batch":
                messages = _messages(body)
                sent = await queue.send(messages, headers.get(DELAY), is_batch=True)
                return json_answer(200, sent)
            case "GET", "/metrics":
                return json_answer(200, queue.broker.metrics(queue.name).as_json())
        return _failed(404, f"A queue has no {method} {urlsplit(target).path}")
    except Refused as refused:
        return _failed(refused.status, refused.text)
    except WorkerError as error:
        return _failed(500, error.message)


def _messages(body: bytes) -> list[dict[str, Any]]:
    try:
        return [
            {
                "body": base64.b64decode(each["body"]),
                "contentType": each.get("contentType", "v8"),
                "delaySeconds": each.get("delaySecs"),
            }
            for each in json.loads(body)["messages"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(400, f"The batch cannot be read: {error}") from None


def _failed(status: int, text: str) -> HttpAnswer:
    headers = {"content-type": "text/plain", "cf-queues-error-cause": text}
    return HttpAnswer(status, headers, text.encode(), text)
