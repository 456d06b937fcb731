"""The SQL of Analytics Engine: each function, each clause, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.analytics.analytics import Datasets
from bindings.analytics.sql.binding import AnalyticsSql
from bindings.analytics.sql.formats import written
from bindings.analytics.sql.reading import read
from bindings.analytics.sql.running import Result
from bindings.analytics.sql.tree import InvalidQuery
from emulator.clock import VirtualClock
from emulator.errors import WorkerError

MINUTE = 60_000


class Stored:
    """Six readings in ten-minute steps, from 2026-01-01 00:00:00 on."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000))
        self.datasets = Datasets(folder / "points", self.clock.now_ms, "OFF")
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        for number in range(6):
            point = {"blobs": ["rome" if number % 3 else "paris"], "doubles": [number, number / 2]}
            await self.datasets.add("temps", {**point, "indexes": [f"probe{number % 2}"]})
            self.clock.advance(10 * MINUTE)
        await self.datasets.add("odd-name", {"doubles": [1]})

    def ask(self, query: str) -> Result:
        return asyncio.run(self.datasets.query(query))

    def value(self, expression: str) -> Any:
        return self.ask(f"SELECT {expression}").rows[0][0]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    made = Stored(tmp_path_factory.mktemp("analytics"))
    yield made
    asyncio.run(made.datasets.close())


AT = "toDateTime('2025-10-27 16:55:25')"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'Hello'", "Hello"),
        (r"'it''s \'so\'\n'", "it's 'so'\n"),
        ("-42", -42),
        ("1 + 2 * 3 - (4 - 1)", 4),
        ("7 / 2", 3.5),
        ("7 % 4", 3),
        ("1 / 0", None),
        ("true AND NOT false OR false", 1),
        ("2 BETWEEN 1 AND 3", 1),
        ("2 NOT BETWEEN 1 AND 3", 0),
        ("'a' IN ('a', 'b')", 1),
        ("'a' NOT IN ('b')", 1),
        ("NULL IS NULL", 1),
        ("'error.jpg' LIKE 'err%._pg'", 1),
        ("'ERROR' LIKE 'err%'", 0),
        ("'ERROR' ILIKE 'err%'", 1),
        ("'a' NOT ILIKE 'A'", 0),
        ("if(1 > 2, 'yes', 'no')", "no"),
        ("intDiv(7, 2)", 3),
        ("log(1)", 0.0),
        ("ln(0)", None),
        ("pow(2, 10)", 1024.0),
        ("round(3.14, 1)", 3.1),
        ("round(5.5)", 6.0),
        ("floor(-5.5)", -6.0),
        ("ceil(3.14, 1)", 3.2),
        ("length('Grüße')", 5),
        ("empty('')", 1),
        ("lower('ÄB')", "Äb"),
        ("toLower('ÄB')", "äb"),
        ("upper('äb')", "äB"),
        ("upperUTF8('äb')", "ÄB"),
        ("startsWith('prefix', 'pre')", 1),
        ("endsWith('prefix', 'pre')", 0),
        ("position(':' IN 'hello: world')", 6),
        ("position('hello', 'l')", 3),
        ("substring('hello world', 7)", "world"),
        ("substring('hello: world', 1, position(':' IN 'hello: world')-1)", "hello"),
        ("format('{} of {}', 1, 'b')", "1 of b"),
        (f"format('{{}}', {AT})", "2025-10-27 16:55:25"),
        ("toUInt8('258')", 2),
        ("toUInt32(4.9)", 4),
        ("bin(1)", "00000001"),
        ("hex('abc')", "616263"),
        ("hex(1)", "01"),
        ("bitAnd(1, 3)", 1),
        ("bitOr(1, 2)", 3),
        ("bitXor(3, 3)", 0),
        ("bitNot(1)", 254),
        ("bitCount(7)", 3),
        ("bitHammingDistance(3, 0)", 2),
        ("bitRotateLeft(128, 1)", 1),
        ("bitRotateRight(1, 1)", 128),
        ("bitRotateRight(12, 2)", 3),
        ("bitShiftLeft(128, 1)", 0),
        ("bitShiftRight(12, 2)", 3),
        ("bitTest(3, 1)", 1),
        ("bitTest(2, 0)", 0),
        ("now()", "2026-01-01 01:00:00"),
        ("today()", "2026-01-01"),
        ("now() - INTERVAL '90' MINUTE", "2025-12-31 23:30:00"),
        ("toDateTime('2026-03-31 00:00:00') - INTERVAL '1' MONTH", "2026-02-28 00:00:00"),
        ("now() + toIntervalDay(2)", "2026-01-03 01:00:00"),
        ("now() > '2025-12-31T00:00:00Z'", 1),
        ("toDateTime(355924804)", "1981-04-12 12:00:04"),
        ("toDateTime('2022-12-01 16:17:00', 'America/New_York')", "2022-12-01 21:17:00"),
        ("formatDateTime(now(), '%Y-%m-%d %H:%i %%', 'Asia/Tokyo')", "2026-01-01 10:00 %"),
        (f"toYear({AT}) * 100 + toMonth({AT})", 202510),
        (f"toDayOfWeek({AT})", 1),
        (f"toDayOfMonth({AT})", 27),
        (f"toHour({AT}) + toMinute({AT}) + toSecond({AT})", 16 + 55 + 25),
        (f"extract(SECOND from {AT})", 25),
        (f"toYYYYMM({AT})", 202510),
        (f"toUnixTimestamp({AT})", 1761584125),
        (f"toStartOfYear({AT})", "2025-01-01"),
        (f"toStartOfMonth({AT})", "2025-10-01"),
        ("toStartOfWeek(toDateTime('2025-10-29 00:00:00'))", "2025-10-27"),
        (f"toStartOfDay({AT})", "2025-10-27 00:00:00"),
        (f"toStartOfHour({AT})", "2025-10-27 16:00:00"),
        (f"toStartOfFifteenMinutes({AT})", "2025-10-27 16:45:00"),
        (f"toStartOfTenMinutes({AT})", "2025-10-27 16:50:00"),
        (f"toStartOfFiveMinutes({AT})", "2025-10-27 16:55:00"),
        (f"toStartOfMinute({AT})", "2025-10-27 16:55:00"),
        (f"toStartOfInterval({AT}, INTERVAL '20' MINUTE)", "2025-10-27 16:40:00"),
        (f"toStartOfInterval({AT}, INTERVAL '1' QUARTER)", "2025-10-01 00:00:00"),
        (
            f"toStartOfInterval({AT}, INTERVAL '1' DAY, 'America/New_York')",
            "2025-10-27 04:00:00",
        ),
    ],
)
def test_an_expression_has_this_value(stored: Stored, expression: str, value: object) -> None:
    assert stored.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count()", 6),
        ("COUNT(*)", 6),
        ("count(DISTINCT blob1)", 2),
        ("sum(_sample_interval)", 6),
        ("sum(double1)", 15.0),
        ("sum(DISTINCT if(double1 > 2, 1, 2))", 3),
        ("avg(double2)", 1.25),
        ("min(double1)", 0.0),
        ("max(timestamp)", "2026-01-01 00:50:00"),
        ("countIf(blob1 = 'rome')", 4),
        ("sumIf(double1, blob1 = 'paris')", 3.0),
        ("avgIf(double1, blob1 = 'none')", None),
        ("quantileExactWeighted(0.5)(double1, _sample_interval)", 2.0),
        ("quantileWeighted(0.95, double1, _sample_interval)", 5.0),
        ("argMax(index1, double1)", "probe1"),
        ("argMin(blob1, double1)", "paris"),
        ("topK(blob1)", ["rome", "paris"]),
        ("topK(1)(blob1)", ["rome"]),
        ("topKWeighted(1)(blob1, if(blob1 = 'paris', 9, 1))", ["paris"]),
        ("sum(double1) / count()", 2.5),
    ],
)
def test_a_group_has_this_value(stored: Stored, expression: str, value: object) -> None:
    assert stored.value(f"{expression} FROM temps") == value


def test_clauses_choose_group_and_order_rows(stored: Stored) -> None:
    hourly = stored.ask(
        "SELECT toStartOfInterval(timestamp, INTERVAL '30' MINUTE) AS timestamp, "
        "sum(_sample_interval) AS n FROM temps GROUP BY timestamp ORDER BY timestamp DESC"
    )
    assert hourly.rows == [["2026-01-01 00:30:00", 3], ["2026-01-01 00:00:00", 3]]
    assert hourly.columns == [("timestamp", "DateTime"), ("n", "UInt64")]
    cities = stored.ask(
        "SELECT blob1 AS city, avg(double1) AS mean -- the mean\n FROM temps "
        "WHERE timestamp > NOW() - INTERVAL '1' DAY AND city <> '' GROUP BY city "
        "HAVING mean > 2 ORDER BY city LIMIT 1 OFFSET 0"
    )
    assert cities.rows == [["rome", 3.0]]
    inner = stored.ask(
        "SELECT city, n * 2 FROM (SELECT blob1 AS city, count() AS n FROM temps GROUP BY city)"
        " WHERE n > 3"
    )
    assert inner.rows == [["rome", 8]] and inner.columns[1] == ("n * 2", "UInt64")
    last = "SELECT first_value(double1), last_value(double1) FROM temps ORDER BY timestamp DESC"
    assert stored.ask(last).rows == [[5.0, 0.0]]
    assert stored.ask('SELECT double1 FROM "odd-name" LIMIT ALL').rows == [[1.0]]
    assert len(stored.ask("SELECT * FROM temps LIMIT 2").columns) == 44


def test_results_are_written_in_three_formats(stored: Stored) -> None:
    query = "SELECT blob1 AS city, count() AS n, NULL AS none FROM temps GROUP BY city ORDER BY n"
    document = json.loads(written(stored.ask(query))[0])
    assert document["meta"][:2] == [
        {"name": "city", "type": "String"},
        {"name": "n", "type": "UInt64"},
    ]
    assert document["data"][0] == {"city": "paris", "n": "2", "none": None}
    assert (document["rows"], written(stored.ask(query))[1]) == (2, "application/json")
    lines = written(stored.ask(f"{query} FORMAT JSONEachRow"))[0].splitlines()
    assert json.loads(lines[1]) == {"city": "rome", "n": "4", "none": None}
    tabs = written(stored.ask(f"{query} FORMAT TabSeparated;"))[0]
    assert tabs == "paris\t2\t\\N\nrome\t4\t\\N\n"
    assert stored.ask("SHOW TABLES").rows == [["odd-name", "dataset"], ["temps", "dataset"]]
    assert stored.ask("SHOW TIMEZONE").rows == [["Etc/UTC"]]
    assert ["Europe/Berlin"] in stored.ask("SHOW TIMEZONES").rows


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "expected SELECT at character 1, found the end of the query"),
        ("DROP TABLE points", "expected SELECT at character 1, found 'DROP'"),
        ("SELECT 1; DROP TABLE points", "expected the end of the query"),
        ("SELECT 1 UNION SELECT 2", "UNION is not supported"),
        ("SELECT DISTINCT blob1 FROM temps", "SELECT DISTINCT is not supported"),
        ("SELECT 1 FROM other", "unknown table other; nothing has been written to it yet"),
        ("SELECT 1 FROM points WHERE sql = 1", "unknown table points"),
        ("SELECT blob21 FROM temps", "unknown column blob21"),
        ("SELECT a AS b, b AS a FROM temps", "is defined by itself"),
        ("SELECT nothing(1)", "unknown function nothing()"),
        ("SELECT load_extension('x')", "unknown function load_extension()"),
        ("SELECT length()", "length() takes 1 argument"),
        ("SELECT substring('a')", "substring() takes 2 to 3 arguments"),
        ("SELECT sum()", "sum() does not take these arguments"),
        ("SELECT length(5)", "a function got a value that it cannot take"),
        ("SELECT toUInt8('x')", "'x' is no number"),
        ("SELECT toDateTime('yesterday')", "'yesterday' is no time"),
        ("SELECT toDateTime('2026-13-01 00:00:00')", "is no time"),
        ("SELECT toDateTime(1e300)", "is no time"),
        ("SELECT formatDateTime(now(), '%q')", "formatDateTime knows no %q"),
        ("SELECT formatDateTime(now(), '%Y', 'Moon/Sea')", "unknown time zone 'Moon/Sea'"),
        ("SELECT INTERVAL '1' DAY", "an INTERVAL is added to a time"),
        ("SELECT 1 + INTERVAL '1' DAY", "an INTERVAL is added to a time"),
        ("SELECT now() + INTERVAL 'x' DAY", "INTERVAL needs a whole number"),
        ("SELECT 'a' + 1", "+ is for numbers, not for text"),
        ("SELECT format('{}')", "format() needs as many values"),
        ("SELECT topK(500)(blob1) FROM temps", "topK() gives 1 to 100 values"),
        ("SELECT quantileWeighted(2, double1, 1) FROM temps", "between 0 and 1"),
        ("SELECT blob1 FROM temps LIMIT x", "expected a whole number"),
        ("SELECT blob1 FROM temps WHERE sum(double1) > 1", "misuse of aggregate"),
        ("SELECT 'open", "is not SQL"),
        ("SELECT $1", "$1 has no value"),
        ("SELECT " + "(" * 5000 + "1", "nested more than 60 deep"),
        ("SELECT " + "- " * 5000 + "1", "nested more than 60 deep"),
        ("SELECT " + "not " * 5000 + "1", "nested more than 60 deep"),
        ("SELECT 99999999999999999999", "is too large"),
        ("SELECT *", "SELECT * needs FROM"),
        ("x" * 100_001, "longer than 100,000 characters"),
    ],
)
def test_what_is_no_query_is_refused(stored: Stored, query: str, text: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        stored.ask(query)
    assert text in str(caught.value)


def test_an_unknown_format_is_refused(stored: Stored) -> None:
    with pytest.raises(InvalidQuery, match="unknown FORMAT XML"):
        written(stored.ask("SELECT 1 FORMAT XML"))


@settings(max_examples=150, deadline=None)
@given(st.text("()'\"$%*-+,.;:\\ \n\0abcdefnrt1250IN", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read(f"SELECT {text}")
    except InvalidQuery:
        pass


SINCE = "WHERE timestamp >= $since"
TABLE = "events.analyticsEngine.temps"


def asked(stored: Stored, query: str, params: Any = None) -> Any:
    binding = AnalyticsSql(stored.datasets)
    return asyncio.run(binding.call("query", [{"query": query, "params": params}]))


def test_the_binding_gives_rows_and_statistics(stored: Stored) -> None:
    query = (
        f"SELECT blob1 AS city, COUNT(*) AS n FROM {TABLE} {SINCE} AND city = $city GROUP BY city"
    )
    found = asked(stored, query, {"since": "2026-01-01T00:20:00.000Z", "city": "rome"})
    assert found["data"] == [{"city": "rome", "n": 3}] and found["rows"] == 1
    assert found["statistics"].keys() == {"elapsed_ms", "rows_read", "bytes_read"}
    query = 'SELECT double1 FROM events.analyticsEngine."odd-name" WHERE timestamp > $1'
    assert asked(stored, query, ["2020-01-01 00:00:00"])["data"] == [{"double1": 1.0}]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (f"SELECT 1 FROM {TABLE}", "needs a lower bound of timestamp"),
        (f"SELECT 1 FROM {TABLE} WHERE blob1 = 'a' OR timestamp > 1", "needs a lower bound"),
        (f"SELECT blob1 FROM {TABLE} {SINCE} ORDER BY blob1", "ORDER BY needs LIMIT"),
        (f"SELECT 1 FROM {TABLE} {SINCE} FORMAT JSON", "FORMAT is not supported"),
        (f"SELECT a FROM (SELECT blob1 AS a FROM {TABLE} {SINCE}) LIMIT 1", "only choose columns"),
        (f"SELECT 1 FROM temps {SINCE}", "unknown dataset temps; here are only events.analyticsE"),
        ("SHOW TABLES", "only SELECT is supported"),
        ("SELECT 1", "a query needs FROM"),
        (f"SELECT $other FROM {TABLE} {SINCE}", "$other has no value"),
    ],
)
def test_the_binding_refuses_what_production_refuses(stored: Stored, query: str, text: str) -> None:
    with pytest.raises(WorkerError) as caught:
        asked(stored, query, {"since": 0})
    assert caught.value.message.startswith("Input was invalid: ") and text in caught.value.message
