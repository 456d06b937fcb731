"""D1 over REST: databases, queries, exports and imports, for both bases of the API.

Source: docs/platform/d1.md, "REST".
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bindings.d1.migration_files import Migrations
from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import EmulatorError, WorkerError
from emulator.kinds.d1 import KIND, Database
from emulator.server.api.bases import BASES
from emulator.server.api.bodies import (
    BATCH_MAX_BYTES,
    as_object,
    body_bytes,
    object_body,
    read_apart,
    read_json,
)
from emulator.server.api.created import add, created, delete, text_of
from emulator.server.api.envelope import OWN_BASE, Answer, ApiError, endpoint
from emulator.server.api.parameters import bad, whole_number
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.d1.database import D1

NO_DATABASE, FAILED, NAME_IN_USE = 7404, 7500, 7502
PER_PAGE, PER_PAGE_MAX = 10, 10_000
FILES_MAX = 16  # exports that were not fetched, uploads that were not ingested
_NO_MIGRATIONS = Migrations(Path("migrations"), "d1_migrations", "*.sql")
_FILES = f"{OWN_BASE}/d1/files/{{name}}"

Handler = Callable[["_Databases", Database, "D1", Request], Awaitable[Answer]]


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    databases = _Databases(worker)
    table: list[tuple[str, Handler]] = [
        ("/query", _query),
        ("/raw", _raw),
        ("/export", _export),
        ("/import", _import),
    ]
    found = [
        Route(_FILES, endpoint(databases.file), methods=["GET"]),
        Route(_FILES, endpoint(databases.upload), methods=["PUT"]),
    ]
    for base in BASES:
        path = f"{base}/d1/database"
        one = f"{path}/{{database}}"
        found.append(Route(path, endpoint(databases.list), methods=["GET"]))
        found.append(Route(path, endpoint(databases.create), methods=["POST"]))
        found.append(Route(one, endpoint(databases.show), methods=["GET"]))
        found.append(Route(one, endpoint(databases.delete), methods=["DELETE"]))
        for rest, handler in table:
            asked = endpoint(partial(databases.on_database, handler))
            found.append(Route(one + rest, asked, methods=["POST"]))
    return found


class _Databases:
    """The databases that there are, and files on their way in and out."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._files: dict[str, bytes] = {}

    def records(self) -> list[Database]:
        """Return each database once."""
        found = {
            key: Database(key, each["name"], _NO_MIGRATIONS)
            for key, each in created(self._worker, KIND).items()
        }
        bound = self._worker.config.bound(Database)
        return list((found | {each.record.local_id: each.record for each in bound}).values())

    async def list(self, request: Request) -> Answer:
        """GET …/database?name=&page=&per_page=."""
        wanted = request.query_params.get("name")
        found = [each for each in self.records() if wanted in (None, each.name)]
        page = whole_number(request, "page", 1)
        per_page = whole_number(request, "per_page", PER_PAGE, PER_PAGE_MAX)
        shown = [self.shown(each) for each in found[(page - 1) * per_page :][:per_page]]
        counts = {"count": len(shown), "total_count": len(found)}
        return Answer(shown, {"page": page, "per_page": per_page, **counts})

    async def create(self, request: Request) -> Answer:
        """POST …/database `{name}`; where it would be means nothing here."""
        name = text_of(await object_body(request), "name")
        if any(each.name == name for each in self.records()):
            text = f"A database with that name already exists: {name}"
            raise ApiError(400, NAME_IN_USE, text)
        record = Database(str(uuid.uuid4()), name, _NO_MIGRATIONS)
        now = iso(SystemClock().now_ms())
        add(self._worker, KIND, record.local_id, {"name": name, "created": now})
        return Answer(self.shown(record))

    async def delete(self, request: Request) -> Answer:
        """DELETE …/database/{id or name}."""
        record = self._record(request)
        path = record.path(self._worker.state)
        await delete(self._worker, KIND, record.local_id, record, path)
        return Answer(None)

    async def show(self, request: Request) -> Answer:
        """GET …/database/{id or name}."""
        return Answer(self.shown(self._record(request)))

    async def on_database(self, handler: Handler, request: Request) -> Answer:
        """Let a handler answer for a database."""
        record = self._record(request)
        database = cast("D1", self._worker.opened(KIND, record))
        try:
            return await handler(self, record, database, request)
        except WorkerError as error:
            raise ApiError(400, FAILED, error.message) from None
        except EmulatorError as error:
            raise ApiError(400, FAILED, str(error)) from None

    async def file(self, request: Request) -> Response:
        """GET: an export, once."""
        content = self._files.pop(request.path_params["name"], None)
        if content is None:
            return PlainTextResponse("There is no such file.\n", 404)
        return Response(content, media_type="application/sql")

    async def upload(self, request: Request) -> Response:
        """PUT: what will be imported."""
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("There is no such upload.\n", 404)
        content = await body_bytes(request, BATCH_MAX_BYTES)
        self._files[name] = content
        return Response(headers={"etag": f'"{hashlib.md5(content).hexdigest()}"'})

    def keep(self, name: str, content: bytes) -> None:
        """Keep a file until it is asked for."""
        self._files[name] = content
        while len(self._files) > FILES_MAX:
            del self._files[next(iter(self._files))]

    def take(self, name: str) -> bytes:
        """Return an upload, and forget it. Raises ApiError."""
        if name not in self._files:
            raise ApiError(400, FAILED, f"There is no upload {name}: begin with the action init.")
        return self._files.pop(name)

    def shown(self, record: Database) -> dict[str, Any]:
        """Return a database as the API does."""
        from bindings.d1.wrangler_state import user_tables

        path = record.path(self._worker.state)
        since = created(self._worker, KIND).get(record.local_id, {})
        return {
            "uuid": record.local_id,
            "name": record.name,
            "version": "production",
            "created_at": since.get("created", iso(self._worker.started_ms)),
            "num_tables": len(user_tables(path)),
            "file_size": path.stat().st_size if path.is_file() else 0,
            "running_in_region": "WEUR",
            "read_replication": {"mode": "disabled"},
        }

    def path(self, record: Database) -> Any:
        """Return the file of a database."""
        return record.path(self._worker.state)

    def _record(self, request: Request) -> Database:
        wanted = request.path_params["database"]
        for each in self.records():
            if wanted in (each.local_id, each.name):
                return each
        raise ApiError(404, NO_DATABASE, f"The database {wanted} could not be found.")


async def _query(databases: _Databases, record: Database, database: D1, request: Request) -> Answer:
    """POST …/query: `{sql, params?}` or `{batch}`; rows as objects."""
    from bindings.d1.http import with_row_objects

    results = await database.run(await _queries(request))
    return Answer([await asyncio.to_thread(with_row_objects, each) for each in results])


async def _raw(databases: _Databases, record: Database, database: D1, request: Request) -> Answer:
    """POST …/raw: the same; columns, and rows as lists."""
    from bindings.d1.http import with_row_lists

    results = await database.run(await _queries(request))
    return Answer([await asyncio.to_thread(with_row_lists, each) for each in results])


async def _queries(request: Request) -> Any:
    """Return what a body asks for. Raises ApiError."""
    from bindings.d1.database import to_queries
    from bindings.d1.http import MalformedRequest, parse_entries
    from bindings.d1.script import script_statements

    body = as_object(await read_apart(await body_bytes(request, BATCH_MAX_BYTES), read_json))
    batch = body.get("batch")
    asked = batch if batch is not None else body
    try:
        entries = await asyncio.to_thread(parse_entries, json.dumps(asked).encode())
    except MalformedRequest as error:
        raise bad(str(error)) from None
    found = []
    for entry in entries:
        texts = [entry["sql"]] if entry["params"] else script_statements(entry["sql"])
        found += [{"sql": text, "params": entry["params"]} for text in texts]
    if not found:
        raise ApiError(400, FAILED, "No SQL statements detected.")
    return to_queries(found)


async def _export(
    databases: _Databases, record: Database, database: D1, request: Request
) -> Answer:
    """POST …/export: the dump is ready at once, and its address is in the answer."""
    from bindings.d1.jobs import Query

    body = as_object(await read_apart(await body_bytes(request, BATCH_MAX_BYTES), read_json))
    options = body.get("dump_options")
    given = options if isinstance(options, dict) else {}
    await database.run([Query("SELECT 1")])  # so that there is a file
    content = await asyncio.to_thread(_dumped, databases.path(record), given)
    name = f"{secrets.token_hex(16)}.sql"
    databases.keep(name, content)
    url = f"{request.base_url}{OWN_BASE[1:]}/d1/files/{name}"
    result = {"filename": f"{record.name}.sql", "signed_url": url}
    return Answer(_done(database, "export", result))


def _dumped(path: Any, options: dict[str, Any]) -> bytes:
    from bindings.d1.export import dump_sql, reading

    tables = options.get("tables")
    with reading(path) as connection:
        lines = dump_sql(
            connection,
            tables=[str(each) for each in tables] if isinstance(tables, list) else (),
            schema=not options.get("no_schema"),
            data=not options.get("no_data"),
        )
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


async def _import(
    databases: _Databases, record: Database, database: D1, request: Request
) -> Answer:
    """POST …/import: `init` gives an address to upload to, `ingest` runs what is there."""
    from bindings.d1.jobs import Query
    from bindings.d1.script import script_statements

    body = as_object(await read_apart(await body_bytes(request, BATCH_MAX_BYTES), read_json))
    match body.get("action"):
        case "init":
            name = f"{secrets.token_hex(16)}.sql"
            databases.keep(name, b"")
            url = f"{request.base_url}{OWN_BASE[1:]}/d1/files/{name}"
            return Answer({"filename": name, "upload_url": url, "success": True, "messages": []})
        case "ingest":
            content = databases.take(str(body.get("filename")))
            try:
                text = content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise bad(f"byte {error.start} of the upload is not UTF-8") from None
            statements = await asyncio.to_thread(script_statements, text)
            results = await database.run([Query(each) for each in statements])
            meta: dict[str, Any] = dict(results[-1]["meta"]) if results else {}
            result = {
                "num_queries": len(results),
                "final_bookmark": database.bookmark,
                "meta": {
                    **meta,
                    "rows_read": sum(each["meta"]["rows_read"] for each in results),
                    "rows_written": sum(each["meta"]["rows_written"] for each in results),
                },
            }
            return Answer(_done(database, "import", result))
        case "poll":
            return Answer(_done(database, "import", {"final_bookmark": database.bookmark}))
    raise bad("'action' is unknown; expected init, ingest or poll")


def _done(database: D1, kind: str, result: dict[str, Any]) -> dict[str, Any]:
    return {
        "success": True,
        "type": kind,
        "status": "complete",
        "at_bookmark": database.bookmark,
        "messages": [],
        "result": result,
    }
