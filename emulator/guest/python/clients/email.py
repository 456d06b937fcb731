"""The client that sends emails. Source: docs/platform/email.md, "Sending"."""

from __future__ import annotations

from typing import Any

from ..calls import Answer
from .binding import _BindingWrapper


class SendEmail(_BindingWrapper):
    """A sender of emails."""

    def send(self, message: Any = None, /, **keywords: Any) -> Answer:
        """Send an `EmailMessage`, or `{from, to, subject, text, html, …}`; return `{messageId}`."""
        from ..emails import sent  # few workers send any

        given = sent(keywords if message is None else message)
        if isinstance(given, dict) and "from_" in given:  # a keyword cannot be `from`
            given = {**given, "from": given.pop("from_")}
        return self._caller.call(self._name, "send", [given], takes_stream=True)


CLIENT = SendEmail
