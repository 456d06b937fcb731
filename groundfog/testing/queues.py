"""Batches of queue messages, and what a worker says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QueueResult:
    """What a `queue` handler said of a batch, in the words of `getQueueResult`.

    outcome: "ok" or "exception". ack_all, explicit_acks: what is done. retry_batch,
    retry_messages: what is tried again, each with `delay_seconds` if it has one. A message that is
    in neither is done if the outcome is "ok".
    """

    outcome: str
    ack_all: bool
    explicit_acks: list[str]
    retry_batch: dict[str, Any]
    retry_messages: list[dict[str, Any]]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> QueueResult:
        """Return the result that the worker has told."""
        batch = told["retryAll"]
        return cls(
            told["outcome"],
            told["ackAll"],
            list(told["acks"]),
            {"retry": batch is not None, **_delay(batch)},
            [{"id": id, **_delay(asked)} for id, asked in told["retries"].items()],
        )


def queue_message(number: int, given: Any) -> dict[str, Any]:
    """Return a message as the worker gets it, from its body or from a dict with `body`."""
    fields = dict(given) if isinstance(given, Mapping) and "body" in given else {"body": given}
    body = fields.pop("body")
    is_bytes = isinstance(body, bytes | bytearray)
    message = {
        "id": str(fields.pop("id", f"message-{number}")),
        "attempts": int(fields.pop("attempts", 1)),
        "contentType": "bytes" if is_bytes else "json",
        "body": bytes(body) if is_bytes else json.dumps(body),
    }
    if fields:
        raise TypeError(f"a queue message has body, id and attempts, not {sorted(fields)}")
    return message


def _delay(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    seconds = (asked or {}).get("delaySeconds")
    return {} if seconds is None else {"delay_seconds": seconds}
