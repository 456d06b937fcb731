"""R2: `[[r2_buckets]]`, and the bucket of each.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places

NAME = "r2"
_EXAMPLE = 'with binding = "FILES" and bucket_name = "files" below it.'


class BucketRecord(Struct, frozen=True):
    """One `[[r2_buckets]]` entry. `name` names the folder: preview name, name, or the binding.

    s3: the key and the secret with which requests of S3's API must be signed; None: with any.
    """

    name: str
    s3: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"BucketRecord({self.name!r})"  # without the secret

    def folder(self, state: State) -> Path:
        """Return its folder; it may not exist yet."""
        return state.database(NAME, self.name).with_suffix("")


def _read(section: Section) -> list[Bound[BucketRecord]]:
    buckets = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "FILES")
        name = item.string("bucket_name")
        name = item.string("preview_bucket_name") or name or binding
        if binding and name:
            buckets.append(Bound(binding, NAME, BucketRecord(name, _credentials(item))))
    return buckets


def _credentials(item: Table) -> tuple[str, str] | None:
    local = item.table("local_dev", "Write local_dev = { experimental_s3_credentials = … }.")
    example = 'Write { accessKeyId = "local", secretAccessKey = "secret" }.'
    given = None if local is None else local.table("experimental_s3_credentials", example)
    if given is None:
        return None
    key = given.string("accessKeyId", required=True, example="local")
    secret = given.string("secretAccessKey", required=True, example="secret")
    return (key, secret) if key and secret else None


def _open(record: BucketRecord, places: Places) -> Binding:
    from bindings.r2.bucket import Bucket
    from bindings.r2.r2 import R2

    folder = record.folder(places.state)
    return R2(Bucket(folder, places.clock.now_ms, places.synchronous), folder)


def _identity(record: BucketRecord, places: Places) -> Hashable:
    return record.name, places.synchronous


KIND = Kind(
    name=NAME,
    typed="R2Bucket",
    section="r2_buckets",
    friendly="R2 Bucket",
    keys=frozenset("binding bucket_name jurisdiction local_dev preview_bucket_name remote".split()),
    read=_read,
    open=_open,
    shown=lambda bucket: bucket.name,
    identity=_identity,
    files=(NAME,),
    commands="emulator.cli.r2:r2",
    routes="emulator.server.api.r2:routes",
    workerd=lambda bucket, service: {"r2Bucket": service},
    http="bindings.r2.http:answer",
    http_streams=True,
    line=1,
)
