"""Handlers of a worker under test, called by the test: `scheduled`, `queue`, `email`, methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from groundfog.testing.emails import EmailResult, email_bytes
from groundfog.testing.opened import Opened
from groundfog.testing.options import instant_ms
from groundfog.testing.queues import QueueResult, queue_message
from groundfog.testing.response import ScheduledResult
from groundfog.testing.sync.rpc import Rpc

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class Handlers:
    """What the platform calls in a worker."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._link = opened.link

    def scheduled(
        self, cron: str = "* * * * *", scheduled_time: datetime | str | None = None
    ) -> ScheduledResult:
        """Call the worker's `scheduled` handler; return its `outcome` and `no_retry`.

        scheduled_time: the time of the tick; the worker's own clock without it.
        """
        at_ms = None if scheduled_time is None else instant_ms(scheduled_time)
        found = self._link.ask(self._opened.number, "scheduled", cron=cron, at_ms=at_ms)
        return ScheduledResult(found["outcome"], found["no_retry"])

    def queue(self, name: str, messages: Sequence[Any]) -> QueueResult:
        """Call the worker's `queue` handler with a batch, and return what it said of it.

        messages: bodies, which are sent as JSON (bytes as they are), or dicts with `body`, and `id`
        and `attempts` if they matter. The queue itself is not used.
        """
        batch = [queue_message(number, given) for number, given in enumerate(messages, 1)]
        found = self._link.ask(self._opened.number, "queue", queue=name, messages=batch)
        return QueueResult.of(found)

    @property
    def rpc(self) -> Rpc:
        """The methods of the worker's default entrypoint; `rpc.of("Name")` of another class."""
        return Rpc(self._opened)

    def email(
        self,
        from_: str,
        to: str,
        raw: str | bytes | None = None,
        *,
        subject: str = "",
        text: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> EmailResult:
        """Call the worker's `email` handler, and return what it did with the email.

        raw: the whole message, as it comes over SMTP; without it, one is made of subject, text and
        headers. from_, to: those of the envelope.
        """
        message = email_bytes(from_, to, raw, subject, text, headers or {})
        found = self._link.ask(
            self._opened.number, "email", sender=from_, recipient=to, raw=message
        )
        return EmailResult.of(found)

    @property
    def sent_emails(self) -> list[dict[str, Any]]:
        """The emails that the worker has sent: `{"from", "to", "subject", "raw"}`, in order."""
        found: list[dict[str, Any]] = self._link.ask(self._opened.number, "sent_emails")
        return found
