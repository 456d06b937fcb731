"""The errors of Web Cryptography that user code can catch.

Source: https://w3c.github.io/webcrypto/.
"""

from __future__ import annotations

from emulator.errors import WorkerError


def operation_error(text: str) -> WorkerError:
    """Return the error of an operation that failed, such as a decryption."""
    return WorkerError(text, name="OperationError")


def data_error(text: str) -> WorkerError:
    """Return the error of key data that cannot be read."""
    return WorkerError(text, name="DataError")


def access_error(text: str) -> WorkerError:
    """Return the error of a key that is not for this use."""
    return WorkerError(text, name="InvalidAccessError")


def not_supported(text: str) -> WorkerError:
    """Return the error of an algorithm or format that is unknown here."""
    return WorkerError(text, name="NotSupportedError")
