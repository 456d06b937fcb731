"""`groundfog r2`: objects and buckets of the project, with wrangler's names and arguments.

The commands work on the files; a server may be running.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bindings.r2.blobs import WRITE_BYTES
from bindings.r2.bucket import Bucket
from bindings.r2.errors import NO_SUCH_KEY, R2Error
from bindings.r2.wrangler_state import read_wrangler, wrangler_file
from emulator.cli.lazy import Group
from emulator.cli.local_options import import_options, local_options, wrangler_folder
from emulator.cli.options import ProjectOptions, load_project
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.kinds.r2 import BucketRecord
from emulator.state import State
from emulator.words import counted
from emulator.worker import open_clock

T = TypeVar("T")
_HEADERS = {
    "content_type": "contentType",
    "content_disposition": "contentDisposition",
    "content_encoding": "contentEncoding",
    "content_language": "contentLanguage",
    "cache_control": "cacheControl",
}


@click.group(cls=Group)
def r2() -> None:
    """Read and change the project's local R2 buckets."""


@r2.group("object")
def objects() -> None:
    """Read and change objects."""


@r2.group("bucket")
def buckets() -> None:
    """List the buckets."""


def _names(config: Config) -> dict[str, str]:
    """Return the buckets of the configuration: name -> binding."""
    return {bound.record.name: bound.name for bound in config.bound(BucketRecord)}


def _ask(options: ProjectOptions, name: str, work: Callable[[Bucket], Awaitable[T]]) -> T:
    """Return what `work` does with a bucket. Raises EmulatorError."""
    config = load_project(options)
    known = _names(config)
    found = next((each for each, binding in known.items() if name in (each, binding)), None)
    if found is None:
        there = ", ".join(known) or "no r2_buckets"
        raise UsageError(f"The configuration has no bucket {name}.\n  There are: {there}.")
    state = State.locate(config, options.persist_to)
    state.prepare()
    clock = open_clock(config, state, SystemClock())

    async def asked() -> T:
        bucket = Bucket(BucketRecord(found).folder(state), clock.now_ms)
        try:
            return await work(bucket)
        except R2Error as error:
            raise EmulatorError(f"{name}: {error.message} ({error.code})") from None
        except WorkerError as error:
            raise EmulatorError(str(error)) from None
        finally:
            await bucket.close()

    return asyncio.run(asked())


def _path(text: str) -> tuple[str, str]:
    """Return bucket and key of `BUCKET/KEY`. Raises UsageError."""
    bucket, slash, key = text.partition("/")
    if not slash or not bucket or not key:
        raise UsageError(f"{text} is not a path of an object; expected BUCKET/KEY.")
    return bucket, key


@objects.command("get")
@click.argument("path")
@click.option("--file", "-f", type=click.Path(path_type=Path), help="Write it there [KEY].")
@click.option("--pipe", "-p", is_flag=True, help="Write it to standard output.")
@local_options("buckets")
def get(options: ProjectOptions, path: str, file: Path | None, pipe: bool) -> None:
    """Copy the object BUCKET/KEY to a file."""
    name, key = _path(path)
    target = file or Path(Path(key).name)

    async def read(bucket: Bucket) -> bool:
        try:
            answer = await bucket.perform({"method": "get", "object": key})
        except R2Error as error:
            if error.code == NO_SUCH_KEY:
                return False
            raise
        assert answer.body is not None
        if pipe:
            async for piece in answer.body:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return True
        with target.open("wb") as written:
            async for piece in answer.body:
                written.write(piece)
        return True

    if not _ask(options, name, read):
        raise UsageError(f"The bucket {name} has no object {key}.")
    if not pipe:
        say(f"Downloaded {key} from {name} to {target}.")


@objects.command("put")
@click.argument("path")
@click.option("--file", "-f", type=click.Path(path_type=Path), help="The file to store.")
@click.option("--pipe", "-p", is_flag=True, help="Store standard input.")
@click.option("--content-type", "--ct")
@click.option("--content-disposition", "--cd")
@click.option("--content-encoding", "--ce")
@click.option("--content-language", "--cl")
@click.option("--cache-control", "--cc")
@click.option("--storage-class", "-s")
@local_options("buckets")
def put(
    options: ProjectOptions,
    path: str,
    file: Path | None,
    pipe: bool,
    storage_class: str | None,
    **headers: str | None,
) -> None:
    """Store a file as the object BUCKET/KEY."""
    name, key = _path(path)
    if (file is None) == (not pipe):
        raise UsageError("r2 object put needs either --file FILE or --pipe.")
    fields = {_HEADERS[header]: value for header, value in headers.items() if value is not None}
    request: dict[str, Any] = {"method": "put", "object": key, "httpFields": fields}
    if storage_class is not None:
        request["storageClass"] = storage_class

    async def write(bucket: Bucket) -> int:
        answer = await bucket.perform(request, _content(file))
        return int(answer.metadata["size"])

    size = _ask(options, name, write)
    say(f"Stored {counted(size, 'byte')} as {key} in {name}.")


async def _content(file: Path | None) -> AsyncIterator[bytes]:
    source = sys.stdin.buffer if file is None else file.open("rb")
    with source:
        while piece := source.read(WRITE_BYTES):
            yield piece


@objects.command("delete")
@click.argument("path")
@local_options("buckets")
def delete(options: ProjectOptions, path: str) -> None:
    """Delete the object BUCKET/KEY."""
    name, key = _path(path)
    _ask(options, name, lambda bucket: bucket.perform({"method": "delete", "object": key}))
    say(f"Deleted {key} from {name}.")


@buckets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("buckets")
def list_buckets(options: ProjectOptions, as_json: bool) -> None:
    """Print the buckets of the configuration."""
    found = _names(load_project(options))
    if as_json:
        show_json([{"name": name, "binding": binding} for name, binding in found.items()])
        return
    if found:
        show(draw_table(("bucket", "binding"), list(found.items())))
    else:
        show("The configuration has no r2_buckets.")


@buckets.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("buckets")
def info(options: ProjectOptions, name: str, as_json: bool) -> None:
    """Print how much is in the bucket NAME."""

    async def read(bucket: Bucket) -> tuple[int, int]:
        return bucket.totals()

    count, size = _ask(options, name, read)
    if as_json:
        show_json({"name": name, "object_count": count, "bucket_size": size})
    else:
        show(f"{name}: {counted(count, 'object')}, {counted(size, 'byte')}")


@r2.command("import")
@click.argument("name", required=False)
@import_options
@local_options("buckets")
def import_buckets(
    options: ProjectOptions,
    name: str | None,
    from_wrangler: bool,
    wrangler_state: Path | None,
    yes: bool,
) -> None:
    """Copy the bucket NAME, or all, from wrangler's local state, which stays unchanged.

    Objects that are here already are kept, or replaced with --yes.
    """
    if not from_wrangler:
        raise UsageError("r2 import needs --from-wrangler.")
    config = load_project(options)
    wanted = [each for each, binding in _names(config).items() if name in (None, each, binding)]
    if not wanted:
        raise UsageError(f"The configuration has no bucket {name}.")
    folder = wrangler_folder(config, wrangler_state)
    for each in wanted:
        if not wrangler_file(folder, each).is_file():
            show(f"{each}: wrangler has no such local bucket")
            continue
        taken, kept = _ask(options, each, _copying(folder, each, yes))
        told = f"; {counted(kept, 'object')} here already stay (--yes replaces)" if kept else ""
        show(f"✅ {each}: {counted(taken, 'object')} taken over from {folder}{told}")


def _copying(
    folder: Path, name: str, replace: bool
) -> Callable[[Bucket], Awaitable[tuple[int, int]]]:
    async def copy(bucket: Bucket) -> tuple[int, int]:
        taken = kept = 0
        for request, body in read_wrangler(folder, name):
            only_new = {} if replace else {"onlyIf": {"etagDoesNotMatch": [{"type": "wildcard"}]}}
            try:
                await bucket.perform({**request, **only_new}, body)
                taken += 1
            except R2Error as error:
                if error.status != 412:
                    raise
                kept += 1
        return taken, kept

    return copy
