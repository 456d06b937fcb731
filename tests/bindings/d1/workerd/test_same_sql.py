"""Statements made at random: D1 here answers each as the SQLite of a real workerd does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from bindings.d1.database import D1
from emulator.errors import WorkerError
from tests.bindings.d1.calls import query, with_d1
from tests.bindings.workerd import run_workerd

pytestmark = pytest.mark.wrangler

STATEMENTS = 1_500
WORKER = Path(__file__).with_name("sqlite.mjs")

CONFIG = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "user", worker = .user),
    (name = "disk", disk = (path = "data", writable = true)),
  ],
  sockets = [ (name = "user", address = "127.0.0.1:0", http = (), service = "user") ],
);
const user :Workerd.Worker = (
  modules = [ (name = "worker.mjs", esModule = embed "worker.mjs") ],
  compatibilityDate = "2026-08-01",
  durableObjectNamespaces = [ (className = "Database", uniqueKey = "db", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "DB", durableObjectNamespace = "Database") ],
);
"""

# A "~" stands for a space.
MOMENTS = """'2026-01-02' '2026-01-02~03:04:05.678' '2024-02-29T23:59:59Z' 1767225600 2460000.5
'12:34' '2026-13-01' '-4713-11-24' '2026-03-08~02:30' '9999-12-31' NULL 'x' x'41' 1.5 -1 1e12
'2026-01-02~03:04+05:30'""".split()
MODIFIERS = """'+1~month' '-1~year' 'start~of~month' 'weekday~0' 'unixepoch' 'auto' 'julianday'
'subsec' 'floor' 'ceiling' 'localtime' 'utc' '+1.5~days' '-00:30' '+0001-02-03'
'+0001-02-03~04:05' 'start~of~day' 'no' NULL""".split()
FORMATS = """%F %T %I %k %l %P %p %R %u %e %G %g %U %V %W %w %j %J %s %f %H:%M %% %q %D""".split()
VALUES = """1 'a' NULL 1.5 x'00ff' 'é' '' 1e300 -0.0 9223372036854775807 '{"a":[1,2]}'
'[1,{"b":null}]' '{a:1,}' 0x1F 1_000 '%d' 'a,b'""".split()
FUNCTIONS = """concat concat_ws octet_length iif if unhex hex quote typeof length substr replace
instr trim round abs json json_extract json_valid json_type jsonb json_set json_pretty format printf
unicode char coalesce nullif min max sign upper json_array json_object string_agg group_concat sum
avg total count mod log ceil floor trunc ceiling power zeroblob
sqlite_version nofn""".split()
OTHERS = """1~2 ( ' @ ? a.b group_concat(1~ORDER~BY~2) CAST(x'ff41'~AS~TEXT) 1; 1;~--~x
?;~SELECT~{ json_extract('"\\\\ud800"','$') EXISTS(SELECT~1) row_number()~OVER~(ORDER~BY~1)
/*""".split()
OPERATORS = "+ - || -> ->> = IS % / <<".split()


def statements(seed: int) -> list[str]:
    chance = random.Random(seed)
    pick = chance.choice

    def expression(depth: int = 0) -> str:
        match pick(["date", "date", "call", "call", "operator", "other"]):
            case "date":
                name = pick("date time datetime julianday unixepoch timediff strftime".split())
                arguments = [pick(MOMENTS), *(pick(MODIFIERS) for _ in range(chance.randint(0, 3)))]
                if name == "strftime":
                    arguments.insert(0, f"'{pick(FORMATS)}~{pick(FORMATS)}'")
                elif name == "timediff":
                    arguments = [pick(MOMENTS), pick(MOMENTS)]
                return f"{name}({', '.join(arguments)})"
            case "call":
                inside = [
                    expression(depth + 1) if depth < 2 and pick([True, False]) else pick(VALUES)
                    for _ in range(chance.randint(0, 3))
                ]
                return f"{pick(FUNCTIONS)}({', '.join(inside)})"
            case "operator":
                return f"{pick(VALUES)} {pick(OPERATORS)} {pick(VALUES)}"
        return pick(OTHERS)

    return [f"SELECT {expression().replace('~', ' ')}" for _ in range(STATEMENTS)]


def same(cell: Any) -> Any:
    """Return `cell` as JSON has it: a BLOB is a list, and there is one type of number."""
    if isinstance(cell, bytes):
        return list(cell)
    return float(cell) if isinstance(cell, int) else cell


def test_statements_are_answered_as_by_workerd(tmp_path: Path) -> None:
    seed = random.randrange(10_000)
    print(f"seed {seed}")
    asked = statements(seed)

    async def work(database: D1) -> list[Any]:
        answers: list[Any] = []
        for sql in asked:
            try:
                found = (await query(database, sql))[0]["results"]
            except WorkerError as error:
                answers.append(error.message)
            else:
                answers.append((found["columns"], [list(map(same, row)) for row in found["rows"]]))
        return answers

    ours = with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL")
    (tmp_path / "data").mkdir()
    with run_workerd(tmp_path, WORKER, CONFIG) as port:
        found = httpx.post(f"http://127.0.0.1:{port}/", json=asked, timeout=60).json()

    theirs = [
        one.get("error") or (one["columns"], [list(map(same, row)) for row in one["rows"]])
        for one in found
    ]
    differing = [
        f"{sql}\n  here      {here}\n  in workerd {there}"
        for sql, here, there in zip(asked, ours, theirs, strict=True)
        if here != there
    ]
    assert not differing, "\n".join(differing)
