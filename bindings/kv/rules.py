"""What KV refuses: limits, and the texts of its errors.

Source: docs/platform/kv.md, "Limits" and "Errors".
"""

from __future__ import annotations

from emulator.errors import WorkerError

KEY_MAX_BYTES = 512
VALUE_MAX_BYTES = 25 * 1024 * 1024
BULK_MAX_BYTES = 25 * 1024 * 1024
METADATA_MAX_BYTES = 1024
EXPIRATION_MIN_S = 60
CACHE_TTL_MIN_S = 30
LIST_MAX_KEYS = 1_000
BULK_GET_MAX_KEYS = 100


class Refused(Exception):
    """A request that KV answers with an HTTP status; `text` is its reason phrase."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def for_worker(self, operation: str) -> WorkerError:
        """Return what user code gets: `"KV PUT failed: 413 Value length of …"`."""
        return WorkerError(f"KV {operation} failed: {self.status} {self.text}")


def check_key(key: str) -> bytes:
    """Return a key as it is stored. Raises WorkerError as the client does, or Refused."""
    if not key:
        raise WorkerError("Key name cannot be empty.", name="TypeError")
    if key in (".", ".."):
        raise WorkerError(f'"{key}" is not allowed as a key name.', name="TypeError")
    return check_length(key)


def check_length(key: str) -> bytes:
    """Return a key, or a prefix of keys, in UTF-8. Raises Refused."""
    data = as_utf8(key)
    if len(data) > KEY_MAX_BYTES:
        text = f"UTF-8 encoded length of {len(data)} exceeds key length limit of {KEY_MAX_BYTES}."
        raise Refused(414, text)
    return data


def as_utf8(text: str) -> bytes:
    """Return text in UTF-8, with lone surrogates replaced as JavaScript does."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def check_size(size: int) -> None:
    """Raise Refused for a value that is too large."""
    if size > VALUE_MAX_BYTES:
        raise Refused(413, f"Value length of {size} exceeds limit of {VALUE_MAX_BYTES}.")


def check_metadata(metadata: str | None) -> None:
    """Raise Refused for metadata, as JSON, that is too large."""
    size = 0 if metadata is None else len(as_utf8(metadata))
    if size > METADATA_MAX_BYTES:
        raise Refused(413, f"Metadata length of {size} exceeds limit of {METADATA_MAX_BYTES}.")


def expires_s(expiration: int | None, ttl: int | None, now_s: int) -> int | None:
    """Return when a value expires, in seconds since 1970; None for never. Raises Refused."""
    if ttl is not None:
        if ttl <= 0:
            rest = "Please specify integer greater than 0."
            raise Refused(400, f"Invalid expiration_ttl of {ttl}. {rest}")
        if ttl < EXPIRATION_MIN_S:
            rest = f"Expiration TTL must be at least {EXPIRATION_MIN_S}."
            raise Refused(400, f"Invalid expiration_ttl of {ttl}. {rest}")
        return now_s + ttl
    if expiration is None:
        return None
    if expiration <= now_s:
        rest = (
            "Please specify integer greater than the current number of seconds since the UNIX"
            " epoch."
        )
        raise Refused(400, f"Invalid expiration of {expiration}. {rest}")
    if expiration < now_s + EXPIRATION_MIN_S:
        rest = f"Expiration times must be at least {EXPIRATION_MIN_S} seconds in the future."
        raise Refused(400, f"Invalid expiration of {expiration}. {rest}")
    return expiration


def check_cache_ttl(ttl: int | None) -> None:
    """Raise Refused for a `cacheTtl` that is too short."""
    if ttl is not None and ttl < CACHE_TTL_MIN_S:
        text = f"Invalid cache_ttl of {ttl}. Cache TTL must be at least {CACHE_TTL_MIN_S}."
        raise Refused(400, text)


def check_list_limit(limit: int) -> None:
    """Raise Refused for a number of keys that a list cannot have."""
    if limit < 1:
        rest = "Please specify an integer greater than 0."
        raise Refused(400, f"Invalid key_count_limit of {limit}. {rest}")
    if limit > LIST_MAX_KEYS:
        rest = f"Please specify an integer less than {LIST_MAX_KEYS}."
        raise Refused(400, f"Invalid key_count_limit of {limit}. {rest}")


def check_bulk(keys: list[str], kind: str) -> None:
    """Raise Refused for what a bulk get cannot ask for."""
    if kind not in ("text", "json"):
        raise Refused(400, f'"{kind}" is not a valid type. Use "json" or "text"')
    if len(keys) > BULK_GET_MAX_KEYS:
        raise Refused(400, f"You can request a maximum of {BULK_GET_MAX_KEYS} keys")
    if not keys:
        raise Refused(400, "You must request a minimum of 1 key")
