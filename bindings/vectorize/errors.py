"""The errors of a Vectorize call, numbered and worded as the service words them.

The client puts `<OPERATION>_ERROR (code = n): ` before the service's text. A check does not know
the operation, so it raises `Refused`, and `vectorize.py` completes the text.

The numbers are not documented; those below are quoted from messages that users of the service have
published. Source: docs/platform/vectorize.md, "Error codes".
"""

from __future__ import annotations

from emulator.errors import WorkerError

WRONG_QUERY_DIMENSIONS = 40006
TOO_MANY_ITEMS = 40007
ID_LENGTH = 40008
WRONG_VECTOR = 40012
METADATA_TOO_LARGE = 40016
UNREADABLE_VECTORS = 40023
TOP_K = 40025
UNREADABLE_QUERY = 40026

# Our own numbers, in the service's range, where no published message shows the real one.
UNKNOWN_VECTOR = 40090
INVALID_INDEX = 40091
STORAGE = 40099


class Refused(Exception):
    """An answer of the service with a status other than 200: a number and a text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def during(self, operation: str) -> WorkerError:
        """Return the error for user code; `operation` is, for example, `"VECTOR_QUERY"`."""
        return WorkerError(f"{operation}_ERROR (code = {self.code}): {self.text}", code=self.code)

    def of(self, method: str) -> Refused:
        """Return the service's words for `method`, with our own details added."""
        if self.code == UNREADABLE_VECTORS and method in ("insert", "upsert"):
            text = f"failed to parse {method} vectors request in json format: {self.text}"
            return Refused(self.code, text)
        return self
