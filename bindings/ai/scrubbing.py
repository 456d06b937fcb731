"""Keeps secrets out of cassettes. Pure.

Three things are taken for secrets: the values of the project's own secrets, texts that look like a
key of a known kind, and whatever stands under a name such as `api_key`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

SHORTEST = 6  # a shorter value occurs by chance
SCRUBBED = "[scrubbed]"
_NAMES = re.compile(
    r"(?i)(?:authorization|cookie|password|passwd|(?:x[-_])?api[-_]?(?:key|token)|"
    r"(?:access|refresh|auth|id|session)[-_]?token|(?:client|api)[-_]?secret|private[-_]?key)\Z"
)
_LOOKS = re.compile(
    r"(?:Bearer\s+[\w.~+/=-]{16,}"
    r"|\bsk-[\w-]{16,}"  # OpenAI and its like
    r"|\bgh[pousr]_\w{20,}"  # GitHub
    r"|\bxox[abprs]-[\w-]{10,}"  # Slack
    r"|\bAKIA[0-9A-Z]{16}\b"  # Amazon
    r"|\bAIza[\w-]{30,}"  # Google
    r"|\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]{6,}"  # JSON web tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----)",
    re.DOTALL,
)


class Scrubber:
    """Replaces secrets in JSON values; `secrets` are texts that must not be written."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        known = sorted({text for text in secrets if len(text) >= SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def scrub(self, value: Any, name: str = "") -> Any:
        """Return `value` without secrets; `name` is what it is called where it stands."""
        match value:
            case str():
                if _NAMES.match(name):
                    return SCRUBBED
                if self._known is not None:
                    value = self._known.sub(SCRUBBED, value)
                return _LOOKS.sub(SCRUBBED, value)
            case Mapping():
                return {self.scrub(key): self.scrub(item, str(key)) for key, item in value.items()}
            case list():
                return [self.scrub(item, name) for item in value]
            case _:
                return value
