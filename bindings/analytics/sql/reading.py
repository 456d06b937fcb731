"""A query as text -> a tree. Source: docs/platform/analytics-sql.md, "Statements"."""

from __future__ import annotations

from typing import Any

from bindings.analytics.sql.tree import (
    Call,
    Column,
    Expression,
    Interval,
    InvalidQuery,
    Literal,
    Name,
    Operation,
    Order,
    Select,
    Show,
    Star,
)
from bindings.analytics.sql.words import Word, unquoted, words_of

DEPTH_MAX = 60
UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_RESERVED = frozenset(
    "select from where group having order limit offset format by as and or not in between like"
    " ilike is asc desc union join".split()
)
_COMPARISONS = ("=", "<", ">", "<=", ">=", "<>", "!=")


def read(query: str, parameters: Any = None) -> Select | Show:
    """Return the tree of a query. parameters: a list for `$1`, or a dict for `$name`.

    Raises InvalidQuery.
    """
    return _Reader(query, parameters).statement()


class _Reader:
    def __init__(self, query: str, parameters: Any) -> None:
        self._query = query
        self._parameters = parameters
        self._words = words_of(query)
        self._at = 0
        self._depth = 0

    # --- words

    @property
    def _next(self) -> Word:
        return self._words[self._at]

    def _take(self) -> Word:
        word = self._next
        self._at += 1
        return word

    def _is(self, *texts: str) -> bool:
        """Whether the next words are these, in any case."""
        found = self._words[self._at : self._at + len(texts)]
        return len(found) == len(texts) and all(
            word.text.lower() == text and word.kind in ("name", "operator")
            for word, text in zip(found, texts, strict=True)
        )

    def _took(self, *texts: str) -> bool:
        if self._is(*texts):
            self._at += len(texts)
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._took(text):
            raise self._unexpected(text.upper())

    def _unexpected(self, wanted: str) -> InvalidQuery:
        word = self._next
        found = repr(word.text) if word.text else "the end of the query"
        return InvalidQuery(f"expected {wanted} at character {word.begin + 1}, found {found}")

    # --- statements

    def statement(self) -> Select | Show:
        if self._took("show"):
            what = self._take().text.lower()
            if what not in ("tables", "timezones", "timezone"):
                raise InvalidQuery("SHOW knows TABLES, TIMEZONES and TIMEZONE")
            found: Select | Show = Show(what, self._format())
        else:
            found = self._select()
            found.format = self._format()
        self._took(";")
        if self._next.kind != "end":
            raise self._unexpected("the end of the query")
        return found

    def _format(self) -> str:
        return self._take().text if self._took("format") else ""

    def _select(self) -> Select:
        self._need("select")
        if self._is("distinct"):
            raise InvalidQuery("SELECT DISTINCT is not supported; use GROUP BY")
        found = Select([self._column()])
        while self._took(","):
            found.columns.append(self._column())
        if self._took("from"):
            found.source = self._source()
        if self._took("where"):
            found.where = self._expression()
        if self._took("group", "by"):
            found.groups = self._list()
        if self._took("having"):
            found.having = self._expression()
        if self._took("order", "by"):
            found.orders = [self._order()]
            while self._took(","):
                found.orders.append(self._order())
        if self._took("limit") and not self._took("all"):
            found.limit = self._whole()
        if self._took("offset"):
            found.offset = self._whole()
        for other in ("union", "join", "inner", "left", "right", "cross"):
            if self._is(other):
                raise InvalidQuery(f"{other.upper()} is not supported")
        return found

    def _column(self) -> Column:
        begin = self._next.begin
        expression = self._expression() if not self._took("*") else Star()
        name = self._query[begin : self._words[self._at - 1].end]
        word = self._next
        if self._took("as") or word.kind == "quoted" or self._is_free_name(word):
            name = self._name()
        elif isinstance(expression, Name):
            name = expression.name
        return Column(expression, name)

    def _is_free_name(self, word: Word) -> bool:
        return word.kind == "name" and word.text.lower() not in _RESERVED

    def _source(self) -> Any:
        if self._took("("):
            inner = self._deeper(self._select)
            self._need(")")
            return inner
        parts = [self._name()]
        while self._took("."):
            parts.append(self._name())
        return ".".join(parts)

    def _name(self) -> str:
        word = self._take()
        if word.kind == "quoted":
            return unquoted(word.text)
        if word.kind != "name":
            self._at -= 1
            raise self._unexpected("a name")
        return word.text

    def _whole(self) -> int:
        word = self._take()
        if not word.text.isdecimal():
            self._at -= 1
            raise self._unexpected("a whole number")
        return int(word.text)

    def _order(self) -> Order:
        expression = self._expression()
        descending = self._took("desc")
        if not descending:
            self._took("asc")
        return Order(expression, descending)

    def _list(self) -> list[Expression]:
        found = [self._expression()]
        while self._took(","):
            found.append(self._expression())
        return found

    # --- expressions, the loosest operator first

    def _deeper(self, read: Any) -> Any:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise InvalidQuery(f"the query is nested more than {DEPTH_MAX} deep")
        found = read()
        self._depth -= 1
        return found

    def _expression(self) -> Expression:
        return self._deeper(self._or)  # type: ignore[no-any-return]

    def _or(self) -> Expression:
        found = [self._and()]
        while self._took("or"):
            found.append(self._and())
        return found[0] if len(found) == 1 else Operation("or", found)

    def _and(self) -> Expression:
        found = [self._not()]
        while self._took("and"):
            found.append(self._not())
        return found[0] if len(found) == 1 else Operation("and", found)

    def _not(self) -> Expression:
        if self._took("not"):
            return Operation("not", [self._deeper(self._not)])
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        for operator in _COMPARISONS:
            if self._took(operator):
                return Operation("<>" if operator == "!=" else operator, [left, self._sum()])
        if self._took("is"):
            negated = self._took("not")
            self._need("null")
            return _negated(Operation("null", [left]), negated)
        negated = self._took("not")
        if self._took("between"):
            low = self._sum()
            self._need("and")
            return _negated(Operation("between", [left, low, self._sum()]), negated)
        for operator in ("like", "ilike"):
            if self._took(operator):
                return _negated(Operation(operator, [left, self._sum()]), negated)
        if self._took("in"):
            self._need("(")
            choices = self._list()
            self._need(")")
            return _negated(Operation("in", [left, *choices]), negated)
        if negated:
            raise self._unexpected("IN, BETWEEN or LIKE")
        return left

    def _sum(self) -> Expression:
        found = self._product()
        while self._is("+") or self._is("-"):
            found = Operation(self._take().text, [found, self._product()])
        return found

    def _product(self) -> Expression:
        found = self._sign()
        while self._is("*") or self._is("/") or self._is("%"):
            found = Operation(self._take().text, [found, self._sign()])
        return found

    def _sign(self) -> Expression:
        if self._took("-"):
            return Operation("negate", [self._deeper(self._sign)])
        self._took("+")
        return self._atom()

    def _atom(self) -> Expression:
        word = self._take()
        if word.kind == "number":
            is_whole = word.text.isdecimal()
            return Literal(int(word.text) if is_whole else float(word.text))
        if word.kind == "string":
            return Literal(unquoted(word.text))
        if word.kind == "parameter":
            return Literal(self._parameter(word.text[1:]))
        if word.text == "(":
            found = self._expression()
            self._need(")")
            return found
        lower = word.text.lower()
        is_call = lower == "format" and self._is("(")
        if word.kind == "name" and (is_call or lower not in _RESERVED):
            if lower in ("true", "false", "null"):
                return Literal({"true": True, "false": False, "null": None}[lower])
            if lower == "interval" and self._next.kind in ("string", "number"):
                return self._interval()
            return self._call(lower) if self._took("(") else Name(word.text)
        if word.kind == "quoted":
            return Name(unquoted(word.text))
        self._at -= 1
        raise self._unexpected("an expression")

    def _parameter(self, name: str) -> Any:
        given = self._parameters
        value: Any = _MISSING
        if isinstance(given, list) and name.isdecimal():
            value = given[int(name) - 1] if 0 < int(name) <= len(given) else _MISSING
        elif isinstance(given, dict):
            value = given.get(name, _MISSING)
        if value is _MISSING or not isinstance(value, str | int | float | None):
            raise InvalidQuery(f"${name} has no value that is a string, number, boolean or null")
        return value

    def _interval(self) -> Interval:
        word = self._take()
        text = unquoted(word.text) if word.kind == "string" else word.text
        unit = self._take().text.upper().removesuffix("S")
        if not text.strip().isdecimal() or unit not in UNITS:
            raise InvalidQuery(f"INTERVAL needs a whole number and a unit of {', '.join(UNITS)}")
        return Interval(Literal(int(text)), unit)

    def _call(self, name: str) -> Expression:
        if name == "extract" and self._words[self._at + 1].text.lower() == "from":
            unit = self._take().text.upper()
            self._need("from")
            arguments = [Literal(unit), self._expression()]
            self._need(")")
            return Call(name, arguments)
        if name == "position":
            return self._position()
        distinct = self._took("distinct")
        arguments = self._arguments()
        if self._took("("):
            return Call(name, self._arguments(), arguments)
        return Call(name, arguments, distinct=distinct)

    def _position(self) -> Expression:
        """`position(needle IN haystack)`, or `position(haystack, needle)`."""
        first = self._deeper(self._sum)
        swapped = self._took("in")
        if not swapped:
            self._need(",")
        second = self._expression()
        self._need(")")
        return Call("position", [second, first] if swapped else [first, second])

    def _arguments(self) -> list[Any]:
        if self._took("*"):
            self._need(")")
            return []
        if self._took(")"):
            return []
        found = self._list()
        self._need(")")
        return found


_MISSING = object()


def _negated(found: Operation, negated: bool) -> Expression:
    return Operation("not", [found]) if negated else found
