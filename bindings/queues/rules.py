"""What queues refuse: limits, and the texts of errors.

Source: docs/platform/queues.md, "Limits".
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.errors import WorkerError

MESSAGE_MAX_BYTES = 128_000
BATCH_MAX_COUNT = 100
BATCH_MAX_BYTES = 288_000
DELAY_MAX_S = 86_400
RETENTION_MS = 4 * 86_400_000
LEASE_MS = 30_000  # how long a pulled message is hidden, unless the pull says otherwise
LEASE_MAX_MS = 43_200_000
UNKNOWN_ERROR = 15_000  # the code of errors whose code is not documented
# `tagged` is our own: what a Python worker sends as v8, in the encoding of the runner protocol.
CONTENT_TYPES = ("text", "json", "bytes", "v8", "tagged")


class Refused(Exception):
    """A request that a queue answers with an HTTP status; `text` is its reason phrase."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def for_worker(self, operation: str, shows_code: bool) -> WorkerError:
        """Return what user code gets: `"message length of … (15000)"`, or the older
        `"Queue send failed: message length of …"`.
        """
        if shows_code:
            return WorkerError(f"{self.text} ({UNKNOWN_ERROR})")
        return WorkerError(f"Queue {operation} failed: {self.text}")


def check_message(size: int) -> None:
    """Raise Refused for a message that is too large."""
    if size > MESSAGE_MAX_BYTES:
        text = f"message length of {size} bytes exceeds limit of {MESSAGE_MAX_BYTES}"
        raise Refused(413, text)


def check_batch(sizes: Sequence[int]) -> None:
    """Raise Refused for a batch that is too large."""
    if len(sizes) > BATCH_MAX_COUNT:
        text = f"batch message count of {len(sizes)} exceeds limit of {BATCH_MAX_COUNT}"
        raise Refused(413, text)
    largest = max(sizes, default=0)
    if largest > MESSAGE_MAX_BYTES:
        raise Refused(
            413,
            f"message in batch has length {largest} bytes which exceeds single message size limit "
            f"of {MESSAGE_MAX_BYTES}",
        )
    if sum(sizes) > BATCH_MAX_BYTES:
        text = f"batch size of {sum(sizes)} bytes exceeds limit of {BATCH_MAX_BYTES}"
        raise Refused(413, text)


def to_delay(value: object) -> int | None:
    """Return an optional delay in seconds. Raises Refused."""
    if value is None:
        return None
    try:
        seconds = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        seconds = -1
    if not 0 <= seconds <= DELAY_MAX_S:
        expected = f"expected 0 to {DELAY_MAX_S} seconds"
        raise Refused(400, f"message delay {value} is invalid: {expected}")
    return int(seconds)


def check_content_type(value: str) -> None:
    """Raise Refused for a content type that does not exist."""
    if value not in CONTENT_TYPES:
        raise Refused(
            400,
            f"message content type {value} is invalid; if specified, must be one of 'text', "
            "'json', 'bytes', or 'v8'",
        )
