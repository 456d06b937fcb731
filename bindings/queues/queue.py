"""The producer of a queue: what a client's call becomes.

Source: docs/platform/queues.md, "The producer".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bindings.queues import rules
from bindings.queues.broker import Broker, Sent
from bindings.queues.rules import Refused
from emulator.errors import WorkerError


class Queue:
    """One queue of `broker`. delay_s: of messages that say no delay.

    shows_codes: whether errors have the newer text, with a code.
    """

    kind = "queues"
    keeps_typed_arrays = True

    def __init__(
        self, broker: Broker, name: str, delay_s: int = 0, *, shows_codes: bool = True
    ) -> None:
        self.broker = broker
        self.name = name
        self._delay_s = delay_s
        self._shows_codes = shows_codes
        self.removed = broker.removed

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run a client's call. Raises WorkerError.

        `send(message, delaySeconds)` and `sendBatch(messages, delaySeconds)`, where a message is
        `{"body": bytes, "contentType", "delaySeconds"}`, return `{"metadata": {"metrics"}}`;
        `metrics()` returns those.
        """
        match method, args:
            case "send", [dict(message), delay]:
                return await self._sent("send", self.send([message], delay, is_batch=False))
            case "sendBatch", [list(messages), delay]:
                return await self._sent("sendBatch", self.send(messages, delay, is_batch=True))
            case "metrics", []:
                return self.broker.metrics(self.name).as_json()
        raise WorkerError(f'A queue has no method "{method}" that takes these arguments')

    async def send(
        self, messages: Sequence[dict[str, Any]], delay: object, *, is_batch: bool
    ) -> dict[str, Any]:
        """Put messages into the queue; durable on return. Raises Refused, WorkerError."""
        general = rules.to_delay(delay)
        sizes = [len(message["body"]) for message in messages]
        if is_batch:
            rules.check_batch(sizes)
        else:
            rules.check_message(sizes[0])
        sent = [self._message(message, general) for message in messages]
        metrics = await self.broker.send(self.name, sent)
        return {"metadata": {"metrics": metrics.as_json()}}

    async def close(self) -> None:
        """Close the file, for all queues."""
        await self.broker.close()

    async def _sent(self, operation: str, sending: Any) -> Any:
        try:
            return await sending
        except Refused as refused:
            raise refused.for_worker(operation, self._shows_codes) from None

    def _message(self, message: dict[str, Any], general: int | None) -> Sent:
        content_type = str(message.get("contentType") or "json")
        rules.check_content_type(content_type)
        delay_s = rules.to_delay(message.get("delaySeconds"))
        if delay_s is None:
            delay_s = self._delay_s if general is None else general
        return Sent(bytes(message["body"]), content_type, delay_s)
