"""D1: statements as users write them and damage them, and the protocol of workerd's client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

from bindings.d1.database import D1
from bindings.d1.http import answer
from bindings.sql.splitter import split_statements, tokens
from emulator.errors import WorkerError
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import changed_bytes, changed_json, json_bytes, json_value

_STATEMENTS = (
    "SELECT 1 AS a, 2 AS a",
    "SELECT * FROM users WHERE name = ?1 AND age > ?2 ORDER BY age LIMIT 3",
    "INSERT INTO users (name, age) VALUES (?, ?), ('x', 1) RETURNING *",
    "UPDATE users SET age = age + 1 WHERE name LIKE 'a%'",
    "DELETE FROM users WHERE age IS NULL",
    "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b BLOB CHECK (length(b) < 9), c UNIQUE)",
    "CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON users BEGIN UPDATE users SET age = 1; END",
    "CREATE INDEX IF NOT EXISTS i ON users (age) WHERE age > 3",
    "CREATE VIEW IF NOT EXISTS v AS SELECT name FROM users",
    "CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(body)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50) SELECT sum(i) FROM n",
    "SELECT json_extract('{\"a\":[1,2]}', '$.a[1]'), group_concat(name, ';') FROM users",
    "SELECT printf('%.*c', 40, 'x'), zeroblob(20), hex(randomblob(4)), 1e999, -0.0, x'00ff'",
    "PRAGMA table_info(users)",
    "PRAGMA journal_mode = DELETE",
    "BEGIN; SELECT 1; COMMIT",
    "ATTACH 'other.db' AS o",
    "VACUUM INTO 'copy.db'",
    "SELECT load_extension('x')",
    "EXPLAIN QUERY PLAN SELECT * FROM users",
    "ALTER TABLE users ADD COLUMN extra TEXT DEFAULT 'd'",
    "DROP TABLE IF EXISTS t; -- a comment; with a semicolon",
    "/* open SELECT 'a; b' FROM \"users\" WHERE [age] = `age`",
    "SELECT datetime('now', 'localtime'), strftime('%s', ?)",
    "REPLACE INTO users SELECT * FROM users WHERE 0",
)
_TOKENS = (
    *b"; ' \" -- /* */ ( ) , ? ?1 ?99999 :a @b [ ] ` sqlite_schema _cf_KV x'zz' 1e308*10".split(),
    *(b"SELECT ", b" FROM users", b" UNION ALL ", b" NULL", b" BEGIN ", b" END", b" CASE "),
    *(b"CREATE TEMP TABLE x(a)", b"9223372036854775807", b" LIMIT -1", b"PRAGMA ", b"\n"),
    *(b"\x00", b"\xc3\xa9", b"\xe2\x80\xae"),
)


QUERY_TIMEOUT_MS = 2_000  # a statement may be endless: it ends before the target's own limit


class Sql(Target):
    """An input is a body of the client's protocol, by itself or damaged."""

    name = "sql"
    about = "D1: statements, parameters, batches, and the HTTP protocol of workerd's client"
    limit_s = 10.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._runner = asyncio.Runner()
        self._database: D1 | None = None
        self._uses = 0

    def close(self) -> None:
        self._forget()
        self._runner.close()

    def _forget(self) -> None:
        if self._database is not None:
            self._runner.run(self._database.close())
            self._database = None
        for path in self.folder.iterdir():
            path.unlink()

    def make(self, random: Random) -> bytes:
        queries = []
        for _ in range(random.choice((1, 1, 2, 4))):
            sql = random.choice(_STATEMENTS).encode()
            if random.random() < 0.6:
                sql = changed_bytes(random, sql, _TOKENS)
            count = random.choice((sql.count(b"?"), random.randrange(4)))
            params: Any = [json_value(random, 1) for _ in range(count)]
            if random.random() < 0.1:
                params = json_value(random, 1)
            queries.append({"sql": sql.decode("utf-8", "replace"), "params": params})
        body: Any = queries if len(queries) > 1 or random.random() < 0.3 else queries[0]
        if random.random() < 0.15:
            body = changed_json(random, body)
        data = json_bytes(body)
        return changed_bytes(random, data) if random.random() < 0.1 else data

    def check(self, data: bytes) -> None:
        if self._database is None or self._uses > 200:
            self._start()
        self._uses += 1
        assert self._database is not None
        try:
            sent = json.loads(data)
        except (ValueError, RecursionError):
            sent = None
        for query in sent if isinstance(sent, list) else [sent]:
            if isinstance(query, dict) and isinstance(query.get("sql"), str):
                _check_split(query["sql"])
        target = "/query?resultsFormat=ROWS_AND_COLUMNS"
        try:
            found = self._runner.run(answer(self._database, "POST", target, {}, data))
        except BaseException:
            self._forget()
            raise
        if found.status >= 500:
            raise Broken(f"{found.status}: {found.body[:200]!r}")
        json.loads(found.body)
        if isinstance(sent, list | dict):
            self._runner.run(_call(self._database, sent))

    def _start(self) -> None:
        self._forget()
        self._uses = 0
        self._database = D1(self.folder / "db.sqlite", "db", query_timeout_ms=QUERY_TIMEOUT_MS)
        table = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age)"
        body = json_bytes({"sql": table, "params": []})
        self._runner.run(answer(self._database, "POST", "/execute", {}, body))


async def _call(database: D1, sent: Any) -> None:
    """Ask as the Python client does; what is refused is a WorkerError."""
    for method, args in (("query", [sent]), ("exec", [str(sent)])):
        try:
            await database.call(method, args)
        except WorkerError as error:
            if "Traceback" in error.message:
                raise Broken(error.message) from error


def _check_split(sql: str) -> None:
    """Nothing is lost where a text is cut into statements."""
    if "".join(token.text for token in tokens(sql)) != sql:
        raise Broken(f"tokens are lost of {sql!r}")
    at = 0
    for statement in split_statements(sql):
        at = sql.find(statement.text, at)
        if at < 0:
            raise Broken(f"{statement.text!r} is no part of {sql!r}")
        at += len(statement.text)
