"""The protocol of workerd's Vectorize client, as bytes: what it may send, what it gets back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.http import HttpAnswer
from bindings.vectorize.http import NDJSON, answer

from .conftest import Session


def ask(
    session: Session, method: str, target: str, body: bytes = b"", kind: str = "application/json"
) -> HttpAnswer:
    index = session.index(dimensions=2)
    found: HttpAnswer = session.run(answer(index, method, target, {"content-type": kind}, body))
    session.close_binding(index)
    return found


def test_vectors_come_as_lines_or_as_one_object(session: Session) -> None:
    lines = b'{"id": "a", "values": [1, 0]}\n\n{"id": "b", "values": [0, 1]}'
    whole = b'{"vectors": [{"id": "c", "values": [1, 1]}]}'

    assert ask(session, "POST", "http://vector-search/insert", lines, NDJSON).status == 200
    assert ask(session, "POST", "/upsert", whole, "application/json; charset=utf-8;").status == 200

    described = json.loads(ask(session, "GET", "/info").body)
    assert described["vectorCount"] == 3


@pytest.mark.parametrize(
    ("method", "target", "body", "kind", "status", "text"),
    [
        ("GET", "/query", b"", "", 405, "expects POST"),
        ("POST", "/list", b"", "", 404, 'no path "/list"'),
        ("POST", "/query", b"{", "", 400, "Failed to parse"),
        ("POST", "/query", b"[]", "", 400, "expected an object"),
        ("POST", "/query", b"\xff", "", 400, "byte 0 is not UTF-8"),
        ("POST", "/query", b"{}", "", 400, "got nothing"),
        ("POST", "/insert", b'{"id": 1}\nnope', NDJSON, 400, "line 2: not a line of JSON"),
        ("POST", "/insert", b'{"values": [NaN]}', NDJSON, 400, "NaN is not JSON"),
        ("POST", "/query", b'{"vector": [1, 0], "returnMetadata": "x"}', "", 400, "Invalid return"),
    ],
)
def test_what_it_cannot_read_is_refused_with_a_reason(
    session: Session, method: str, target: str, body: bytes, kind: str, status: int, text: str
) -> None:
    found = ask(session, method, target, body, kind)

    assert found.status == status
    assert text in json.loads(found.body)["error"]


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["/insert", "/upsert", "/query", "/getByIds", "/deleteByIds"]),
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([NDJSON, "application/json"]),
)
def test_whatever_comes_is_answered(session: Session, target: str, body: bytes, kind: str) -> None:
    found = ask(session, "POST", target, body, kind)

    value: Any = json.loads(found.body)
    assert found.status == 200 or (found.status == 400 and value["error"])
