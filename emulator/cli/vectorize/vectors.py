"""`groundfog vectorize insert|upsert|query|…-vectors`: the vectors of an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from bindings.vectorize.ndjson import read_lines
from bindings.vectorize.vectors import LIST_MAX, VECTORS_PER_REQUEST_MAX, parse_ids, parse_vectors
from emulator.cli.options import ProjectOptions, project_options
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.cli.vectorize.opening import opened, takes_json
from emulator.errors import UsageError
from emulator.words import counted

# Several numbers and ids may follow one option, as with wrangler.
_FOLLOWING: dict[str, Any] = {"ignore_unknown_options": True}

_FILE = click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    required=True,
    help="Vectors as lines of JSON (NDJSON); - reads from standard input.",
)
_BATCH_SIZE = click.option(
    "--batch-size",
    type=click.IntRange(1, VECTORS_PER_REQUEST_MAX),
    default=1000,
    show_default=True,
    help="Vectors in one mutation.",
)


@click.command()
@click.argument("name")
@_FILE
@_BATCH_SIZE
@takes_json
@project_options
def insert(options: ProjectOptions, name: str, file: Path, batch_size: int, as_json: bool) -> None:
    """Insert vectors into the index NAME; vectors whose ids exist stay unchanged."""
    _write(options, name, "insert", file, batch_size, as_json)


@click.command()
@click.argument("name")
@_FILE
@_BATCH_SIZE
@takes_json
@project_options
def upsert(options: ProjectOptions, name: str, file: Path, batch_size: int, as_json: bool) -> None:
    """Insert vectors into the index NAME; those that exist are replaced completely."""
    _write(options, name, "upsert", file, batch_size, as_json)


def _write(
    options: ProjectOptions,
    name: str,
    operation: str,
    file: Path,
    batch_size: int,
    as_json: bool,
) -> None:
    count, mutation = 0, None
    with opened(options, name) as index, click.open_file(str(file), encoding="utf-8-sig") as lines:
        try:
            values = read_lines(lines, "" if str(file) == "-" else str(file))
            for batch in _batches(values, batch_size):
                vectors = parse_vectors(batch, VECTORS_PER_REQUEST_MAX)
                mutation = index.write(operation, vectors)["mutationId"]
                count += len(batch)
        except UnicodeDecodeError as error:
            raise UsageError(f"{file}: byte {error.start} is not UTF-8 text") from None
        finally:
            if mutation is not None and not as_json:
                are = counted(count, "vector is", "vectors are")
                say(f"{are} in the index; the last mutation is {mutation}")
    if as_json:
        show_json({"index": name, "count": count})
    else:
        verb = "inserted" if operation == "insert" else "upserted"
        show(f"✅ Successfully {verb} {counted(count, 'vector')} into index '{name}'")


def _batches(values: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(values, size)):
        yield batch


@click.command(context_settings=_FOLLOWING)
@click.argument("name")
@click.option("--vector", help="Numbers, or a JSON array of them.")
@click.option("--vector-id", help="The id of a stored vector to compare with.")
@click.option("--top-k", type=int, default=5, show_default=True, help="How many matches.")
@click.option("--return-values", is_flag=True, help="Show the values of the matches.")
@click.option("--return-metadata", type=click.Choice(["all", "indexed", "none"]), default="none")
@click.option("--namespace", help="Only vectors of this namespace.")
@click.option("--filter", "filter_", help='A metadata filter, such as \'{"level": {"$gte": 2}}\'.')
@click.argument("more", nargs=-1)
@project_options
def query(
    options: ProjectOptions,
    name: str,
    vector: str | None,
    vector_id: str | None,
    top_k: int,
    return_values: bool,
    return_metadata: str,
    namespace: str | None,
    filter_: str | None,
    more: tuple[str, ...],
) -> None:
    """Show the vectors of the index NAME that are nearest to --vector or --vector-id, as JSON."""
    if (vector is None) == (vector_id is None):
        raise UsageError("vectorize query needs either --vector or --vector-id.")
    if more and vector is None:
        raise UsageError(f"Unexpected arguments: {' '.join(more)}")
    asked: dict[str, Any] = {
        "topK": top_k,
        "returnValues": return_values,
        "returnMetadata": return_metadata,
    }
    if namespace is not None:
        asked["namespace"] = namespace
    if filter_ is not None:
        asked["filter"] = _parse_json(filter_, "--filter")
    with opened(options, name) as index:
        if vector is not None:
            show_json(index.query(_parse_vector([vector, *more]), asked))
        else:
            show_json(index.query_by_id(vector_id, asked))


def _parse_vector(words: list[str]) -> list[Any]:
    if words[0].lstrip().startswith("["):
        parsed = _parse_json(" ".join(words), "--vector")
        return parsed if isinstance(parsed, list) else [parsed]
    numbers = []
    for word in " ".join(words).replace(",", " ").split():
        try:
            numbers.append(float(word))
        except ValueError:
            raise UsageError(f"--vector: expected a number, and got {word!r}") from None
    return numbers


def _parse_json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}") from None


@click.command("list-vectors")
@click.argument("name")
@click.option("--count", type=click.IntRange(1, LIST_MAX), default=100, show_default=True)
@click.option("--cursor", help="The last id of the previous page.")
@takes_json
@project_options
def list_vectors(
    options: ProjectOptions, name: str, count: int, cursor: str | None, as_json: bool
) -> None:
    """Show ids of the index NAME, page by page."""
    with opened(options, name) as index:
        ids, total = index.list_ids(cursor, count)
        more = bool(index.list_ids(ids[-1], 1)[0]) if ids else False
    page: dict[str, Any] = {
        "count": len(ids),
        "totalCount": total,
        "isTruncated": more,
        "vectors": [{"id": id_} for id_ in ids],
    }
    if more:
        page["nextCursor"] = ids[-1]
    if as_json:
        show_json(page)
    elif not ids:
        show(f"No vectors in index '{name}'" if cursor is None else "No more vectors.")
    else:
        show(draw_table(["#", "id"], [[n, id_] for n, id_ in enumerate(ids, 1)]))
        show(f"{len(ids)} of {counted(total, 'vector')}")
        if more:
            show(f"For the next page: --cursor={ids[-1]}")


@click.command("get-vectors", context_settings=_FOLLOWING)
@click.argument("name")
@click.option("--ids", required=True, help="Ids of vectors, one after the other.")
@click.argument("more", nargs=-1)
@project_options
def get_vectors(options: ProjectOptions, name: str, ids: str, more: tuple[str, ...]) -> None:
    """Show vectors of the index NAME by their ids, as JSON."""
    with opened(options, name) as index:
        show_json(index.get(parse_ids([ids, *more], LIST_MAX)))


@click.command("delete-vectors", context_settings=_FOLLOWING)
@click.argument("name")
@click.option("--ids", required=True, help="Ids of vectors, one after the other.")
@click.argument("more", nargs=-1)
@project_options
def delete_vectors(options: ProjectOptions, name: str, ids: str, more: tuple[str, ...]) -> None:
    """Delete vectors of the index NAME by their ids."""
    wanted = [ids, *more]
    with opened(options, name) as index:
        reply = index.delete(parse_ids(wanted, LIST_MAX))
    show(
        f"✅ Successfully enqueued {counted(len(wanted), 'vector')} into index '{name}' for"
        f" deletion. Mutation changeset identifier: {reply['mutationId']}."
    )
