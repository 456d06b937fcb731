"""The tree of a query -> SQLite's SQL, and the names and types of its columns.

Source: docs/platform/analytics-sql.md, "Statements".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from bindings.analytics.sql.functions import (
    ALIASES,
    ARRAY,
    BYTE,
    DATE,
    FLOAT,
    FUNCTIONS,
    LONG,
    SIGNED,
    TEXT,
    TIME,
    WORD,
)
from bindings.analytics.sql.tree import (
    Call,
    Column,
    Interval,
    InvalidQuery,
    Literal,
    Name,
    Operation,
    Select,
    Star,
)

PREFIX = "ae_"  # of the names of our functions in SQLite
_TIMES = (TIME, DATE)
_WHOLE = frozenset({BYTE, "UInt16", WORD, LONG, SIGNED})
_SAMPLED = "_sample_interval"
COLUMNS: dict[str, tuple[str, str]] = {
    _SAMPLED: ("1", WORD),
    **{
        f"blob{n}": (f"coalesce(json_extract(blobs, '$[{n - 1}]'), '')", TEXT) for n in range(1, 21)
    },
    "dataset": ("dataset", TEXT),
    **{
        f"double{n}": (f"CAST(coalesce(json_extract(doubles, '$[{n - 1}]'), 0) AS REAL)", FLOAT)
        for n in range(1, 21)
    },
    "index1": ("index1", TEXT),
    "timestamp": ("at_ms / 1000", TIME),
}
_AGGREGATES = frozenset(
    "count sum avg min max countif sumif avgif approx_min approx_max quantileexactweighted"
    " quantileweighted argmax argmin first_value last_value topk topkweighted".split()
)

Piece = tuple[str, str]  # SQL, and its type


class Compiled(Struct, frozen=True):
    """A query for SQLite. columns: names and types."""

    sql: str
    columns: list[tuple[str, str]]


class Compiler:
    """Makes SQL of queries. table: the condition of a dataset's rows, from its name."""

    def __init__(self, table: Callable[[str], str], now_s: int) -> None:
        self._table = table
        self._now_s = now_s

    def compiled(self, query: Select) -> Compiled:
        """Return the SQL of a query. Raises InvalidQuery."""
        known, source = self._source(query.source)
        columns = _expanded(query.columns, known)
        aliases = {
            each.name: each.expression for each in columns if each.expression != Name(each.name)
        }
        scope = _Scope(self._now_s, known, aliases)
        shown = [(each.name, scope.piece(each.expression)) for each in columns]
        if query.where is not None:
            source += f" WHERE {scope.piece(query.where)[0]}"
        orders = ", ".join(
            f"{scope.by_alias(each.expression)[0]}{' DESC' if each.descending else ''}"
            for each in query.orders
        )
        if orders and scope.looks_at_order:
            source = f" FROM (SELECT *{source} ORDER BY {_plain_orders(scope, query)})"
        names = [f'{sql} AS "c{number}"' for number, (_, (sql, _)) in enumerate(shown)]
        sql = f"SELECT {', '.join(names)}{source}"
        if query.groups:
            sql += f" GROUP BY {', '.join(scope.by_alias(each)[0] for each in query.groups)}"
        if query.having is not None:
            sql += f" HAVING {scope.by_alias(query.having)[0]}"
        if orders and not scope.looks_at_order:
            sql += f" ORDER BY {orders}"
        if query.limit is not None or query.offset:
            sql += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"
        return Compiled(sql, [(name, type) for name, (_, type) in shown])

    def _source(self, source: Any) -> tuple[dict[str, Piece], str]:
        if source is None:
            return {}, ""
        if isinstance(source, str):
            return COLUMNS, f" FROM (SELECT * FROM points WHERE {self._table(source)})"
        inner = self.compiled(source)
        known = {name: (f'"c{n}"', type) for n, (name, type) in enumerate(inner.columns)}
        return known, f" FROM ({inner.sql})"


def _plain_orders(scope: _Scope, query: Select) -> str:
    """Return the order of the rows that `first_value` and `last_value` see."""
    return ", ".join(
        f"{scope.piece(each.expression)[0]}{' DESC' if each.descending else ''}"
        for each in query.orders
    )


def _expanded(columns: list[Column], known: dict[str, Piece]) -> list[Column]:
    found: list[Column] = []
    for each in columns:
        if isinstance(each.expression, Star):
            if not known:
                raise InvalidQuery("SELECT * needs FROM")
            found += [Column(Name(name), name) for name in known]
        else:
            found.append(each)
    return found


class _Scope:
    """What names mean in one query."""

    def __init__(self, now_s: int, known: dict[str, Piece], aliases: dict[str, Any]) -> None:
        self._now_s = now_s
        self._known = known
        self._aliases = aliases
        self._open: list[str] = []  # aliases whose meaning is being looked up
        self.looks_at_order = False

    def by_alias(self, node: Any) -> Piece:
        """Return an expression in which an alias comes before a column of its name."""
        if isinstance(node, Name) and node.name in self._aliases:
            return self._alias(node.name)
        if isinstance(node, Operation):
            return self._operation(node, self.by_alias)
        return self.piece(node)

    def piece(self, node: Any) -> Piece:
        """Return an expression. Raises InvalidQuery."""
        match node:
            case Literal():
                return _literal(node.value)
            case Name():
                return self._name(node.name)
            case Operation():
                return self._operation(node, self.piece)
            case Call():
                return self._call(node)
            case Interval():
                raise InvalidQuery("an INTERVAL is added to a time, or subtracted from one")
            case _:
                raise InvalidQuery("* is for SELECT * and count(*)")

    def _name(self, name: str) -> Piece:
        if name in self._known:
            return self._known[name]
        if name in self._aliases:
            return self._alias(name)
        raise InvalidQuery(f"unknown column {name}")

    def _alias(self, name: str) -> Piece:
        if name in self._open:
            if name in self._known:
                return self._known[name]
            raise InvalidQuery(f"{name} is defined by itself")
        self._open.append(name)
        try:
            return self.piece(self._aliases[name])
        finally:
            self._open.pop()

    # --- operators

    def _operation(self, node: Operation, piece: Callable[[Any], Piece]) -> Piece:
        name, operands = node.operator, node.operands
        if name in ("+", "-") and any(_is_interval(each) for each in operands):
            return self._moved(name, operands, piece)
        pieces = [piece(each) for each in operands]
        if name in ("and", "or"):
            return f"({f' {name.upper()} '.join(sql for sql, _ in pieces)})", BYTE
        first, type = pieces[0]
        match name:
            case "not":
                return f"(NOT {first})", BYTE
            case "null":
                return f"({first} IS NULL)", BYTE
            case "negate":
                return f"(-{first})", FLOAT if type == FLOAT else SIGNED
            case "like" | "ilike":
                return f"{PREFIX}like({first}, {pieces[1][0]}, {int(name == 'ilike')})", BYTE
            case "+" | "-" | "*" | "/" | "%":
                return _arithmetic(name, pieces)
        compared = _comparable(pieces)
        if name == "between":
            return f"({compared[0]} BETWEEN {compared[1]} AND {compared[2]})", BYTE
        if name == "in":
            return f"({compared[0]} IN ({', '.join(compared[1:])}))", BYTE
        return f"({compared[0]} {name} {compared[1]})", BYTE

    def _moved(self, sign: str, operands: list[Any], piece: Callable[[Any], Piece]) -> Piece:
        """Return a time and an interval, added or subtracted."""
        time, interval = operands
        if _is_interval(time):
            time, interval = interval, time
            if sign == "-" or _is_interval(time):
                raise InvalidQuery("an INTERVAL is added to a time, or subtracted from one")
        (sql, type), (count, unit) = piece(time), self._interval(interval)
        if type not in _TIMES:
            raise InvalidQuery(f"an INTERVAL is added to a time, not to {type}")
        return f"{PREFIX}shift({sql}, {'-' if sign == '-' else ''}({count}), '{unit}')", TIME

    def _interval(self, node: Any) -> tuple[str, str]:
        if isinstance(node, Interval):
            return self.piece(node.count)[0], node.unit
        return self.piece(node.arguments[0])[0], node.name.removeprefix("tointerval").upper()

    # --- functions

    def _call(self, node: Call) -> Piece:
        name = ALIASES.get(node.name, node.name)
        if name in ("now", "current_timestamp"):
            return str(self._now_s), TIME
        if name in ("today", "current_date"):
            return str(self._now_s // 86_400 * 86_400), DATE
        if name == "if":
            return self._if(node)
        if name == "tostartofinterval":
            return self._start_of_interval(node)
        if name in _AGGREGATES:
            return self._aggregate(name, node)
        function = FUNCTIONS.get(name)
        if function is None:
            raise InvalidQuery(f"unknown function {node.name}()")
        if len(node.arguments) not in function.counts or node.parameters or node.distinct:
            raise InvalidQuery(f"{node.name}() takes {_counted(function.counts)}")
        pieces = [self.piece(each) for each in node.arguments]
        sqls = [self._as_text(each) if name == "format" else each[0] for each in pieces]
        return f"{PREFIX}{name}({', '.join(sqls)})", function.type

    def _if(self, node: Call) -> Piece:
        if len(node.arguments) != 3:
            raise InvalidQuery("if() takes 3 arguments")
        (condition, _), (yes, type), (no, other) = (self.piece(each) for each in node.arguments)
        type = type if type == other else FLOAT if FLOAT in (type, other) else type
        return f"(CASE WHEN {condition} THEN {yes} ELSE {no} END)", type

    def _start_of_interval(self, node: Call) -> Piece:
        if len(node.arguments) not in (2, 3) or not _is_interval(node.arguments[1]):
            raise InvalidQuery("toStartOfInterval() takes a time, an INTERVAL and a time zone")
        sql, _ = self.piece(node.arguments[0])
        count, unit = self._interval(node.arguments[1])
        zone = self.piece(node.arguments[2])[0] if len(node.arguments) == 3 else "NULL"
        return f"{PREFIX}floor_time({sql}, {count}, '{unit}', {zone})", TIME

    def _as_text(self, piece: Piece) -> str:
        return f"{PREFIX}show_time({piece[0]})" if piece[1] in _TIMES else piece[0]

    def _aggregate(self, name: str, node: Call) -> Piece:
        given = [self.piece(each) for each in node.arguments]
        parameters = [self.piece(each)[0] for each in node.parameters]
        distinct = "DISTINCT " if node.distinct else ""
        if name in ("first_value", "last_value"):
            self.looks_at_order = True
        match name, [sql for sql, _ in given], parameters:
            case "count", [] | [_], []:
                return f"count({distinct}{given[0][0] if given else '*'})", LONG
            case "sum" | "avg", [value], []:
                return f"{name}({distinct}{value})", FLOAT if name == "avg" else _sum(given[0][1])
            case "min" | "max" | "approx_min" | "approx_max", [value], []:
                return f"{name[-3:]}({value})", given[0][1]
            case "countif", [condition], []:
                return f"count(CASE WHEN {condition} THEN 1 END)", LONG
            case "sumif", [value, condition], []:
                chosen = f"CASE WHEN {condition} THEN {value} END"
                return f"coalesce(sum({chosen}), 0)", _sum(given[0][1])
            case "avgif", [value, condition], []:
                return f"avg(CASE WHEN {condition} THEN {value} END)", FLOAT
            case "quantileexactweighted" | "quantileweighted", [value, weight], [level]:
                return f"{PREFIX}quantile({level}, {value}, {weight})", given[0][1]
            case "quantileexactweighted" | "quantileweighted", [level, value, weight], []:
                return f"{PREFIX}quantile({level}, {value}, {weight})", given[1][1]
            case "argmax" | "argmin", [value, key], []:
                return f"{PREFIX}arg_{name[-3:]}({value}, {key})", given[0][1]
            case "first_value" | "last_value", [value], []:
                return f"{PREFIX}{name.partition('_')[0]}({value})", given[0][1]
            case "topk", [value], [] | [_] | [_, _] | [_, _, _]:
                return f"{PREFIX}top_k({(parameters or ['10'])[0]}, {value}, 1)", ARRAY
            case "topkweighted", [value, weight], [] | [_] | [_, _] | [_, _, _]:
                return f"{PREFIX}top_k({(parameters or ['10'])[0]}, {value}, {weight})", ARRAY
        raise InvalidQuery(f"{node.name}() does not take these arguments")


def _literal(value: Any) -> Piece:
    if value is None:
        return "NULL", "Nullable(Nothing)"
    if isinstance(value, bool):
        return str(int(value)), BYTE
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise InvalidQuery(f"{value} is too large")
        return str(value), SIGNED if value < 0 else WORD if value < 2**32 else LONG
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise InvalidQuery("a number is not finite")
        return repr(value), FLOAT
    text = str(value)
    if "\0" in text:
        return f"CAST(x'{text.encode('utf-8', 'replace').hex()}' AS TEXT)", TEXT
    return "'" + text.encode("utf-8", "replace").decode().replace("'", "''") + "'", TEXT


def _is_interval(node: Any) -> bool:
    if isinstance(node, Call) and node.name.startswith("tointerval"):
        return len(node.arguments) == 1
    return isinstance(node, Interval)


def _arithmetic(name: str, pieces: list[Piece]) -> Piece:
    (left, one), (right, other) = pieces
    if one == TEXT or other == TEXT:
        raise InvalidQuery(f"{name} is for numbers, not for text")
    if name == "/":
        return f"(CAST({left} AS REAL) / {right})", FLOAT
    if name == "%":
        return f"({left} % {right})", SIGNED
    if FLOAT in (one, other):
        return f"({left} {name} {right})", FLOAT
    if one in _TIMES and other not in _TIMES:
        return f"({left} {name} {right})", TIME
    is_signed = name == "-" or SIGNED in (one, other)
    return f"({left} {name} {right})", SIGNED if is_signed else LONG


def _comparable(pieces: list[Piece]) -> list[str]:
    """Return expressions that are compared: text beside a time is read as a time."""
    if not any(type in _TIMES for _, type in pieces):
        return [sql for sql, _ in pieces]
    return [f"{PREFIX}todatetime({sql})" if type == TEXT else sql for sql, type in pieces]


def _sum(type: str) -> str:
    return FLOAT if type == FLOAT else SIGNED if type == SIGNED else LONG


def _counted(counts: tuple[int, ...]) -> str:
    most = counts[-1]
    few = f"{counts[0]} to {most}" if len(counts) > 1 else str(most)
    return f"{few} argument{'' if few == '1' else 's'}"
