"""R2's errors, with their codes and HTTP statuses. Source: docs/platform/r2.md, "Errors"."""

from __future__ import annotations

from typing import Any

from emulator.errors import WorkerError

NO_SUCH_KEY, PRECONDITION_FAILED = 10007, 10031


class R2Error(Exception):
    """A request that R2 refuses. `attached`: the metadata of the object that it is about."""

    def __init__(
        self, status: int, code: int, message: str, attached: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.attached = attached

    def for_worker(self, action: str) -> WorkerError:
        """Return what user code gets: `"put: The specified object name is not valid. (10020)"`."""
        return WorkerError(f"{action}: {self.message} ({self.code})", code=self.code)


def no_such_key() -> R2Error:
    return R2Error(404, NO_SUCH_KEY, "The specified key does not exist.")


def precondition_failed(attached: dict[str, Any] | None = None) -> R2Error:
    text = "At least one of the pre-conditions you specified did not hold."
    return R2Error(412, PRECONDITION_FAILED, text, attached)


def invalid_range() -> R2Error:
    return R2Error(416, 10039, "The requested range is not satisfiable")


def invalid_name() -> R2Error:
    return R2Error(400, 10020, "The specified object name is not valid.")


def invalid_argument(text: str) -> R2Error:
    return R2Error(400, 10029, text)


def invalid_max_keys() -> R2Error:
    return R2Error(400, 10022, "MaxKeys params must be positive integer <= 1000.")


def metadata_too_large() -> R2Error:
    text = "Your metadata headers exceed the maximum allowed metadata size."
    return R2Error(400, 10012, text)


def too_large() -> R2Error:
    text = "Your proposed upload exceeds the maximum allowed object size."
    return R2Error(400, 100100, text)


def part_too_small() -> R2Error:
    text = "Your proposed upload is smaller than the minimum allowed object size."
    return R2Error(400, 10011, text)


def no_such_upload() -> R2Error:
    return R2Error(400, 10024, "The specified multipart upload does not exist.")


def invalid_part() -> R2Error:
    return R2Error(400, 10025, "One or more of the specified parts could not be found.")


def bad_upload() -> R2Error:
    return R2Error(500, 10048, "There was a problem with the multipart upload.")


def bad_digest(algorithm: str, given: str, found: str) -> R2Error:
    return R2Error(
        400,
        10037,
        f"The {algorithm} checksum you specified did not match what we received.\n"
        f"You provided a {algorithm} checksum with value: {given}\n"
        f"Actual {algorithm} was: {found}",
    )
