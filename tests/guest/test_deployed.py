"""What works here and goes otherwise deployed: the deployed result, or a warning with the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from tests.guest.test_bindings import Echo, seen, seen_and_told


@pytest.mark.parametrize(
    ("call", "method", "sent", "ignored"),
    [
        ("query([1], {'topK': 1}, returnMetadata='all')", "query", [[1], {"topK": 1}], 1),
        ("query([1], None, topK=1)", "query", [[1], {}], 1),
        ("queryById('a', {'topK': 1}, filter={})", "queryById", ["a", {"topK": 1}], 1),
        ("query([1], topK=1)", "query", [[1], {"topK": 1}], 0),
        ("query([1], {'topK': 1}, {'topK': 2})", "query", [[1], {"topK": 1}], 0),
    ],
)
def test_of_options_and_keywords_vectorize_gets_the_options_only(
    tmp_path: Path, call: str, method: str, sent: list[Any], ignored: int
) -> None:
    index = Echo("vectorize")
    _, told = seen_and_told(tmp_path, f"await env.INDEX.{call}", {"INDEX": index})
    assert index.calls == [(method, sent)]
    assert len(told) == ignored


@pytest.mark.parametrize(
    ("call", "method", "sent"),
    [
        ("FLOW.create({}, params={'lost': True})", "create", [{}]),
        ("FLOW.create(None, params={'lost': True})", "create", [{}]),
        ("FLOW.createBatch([{'id': 'x'}], count=2)", "createBatch", [[{"id": "x"}]]),
        ("FLOW.create_batch([{'id': 'x'}], count=2)", "createBatch", [[{"id": "x"}]]),
        ("AI.run('m', {'a': 1}, {'b': 1}, stream=True)", "run", ["m", {"a": 1}, {"b": 1}]),
        ("AI.models({'search': 'a'}, page=2)", "models", [{"search": "a"}]),
    ],
)
def test_keywords_beside_options_are_ignored_and_named_with_the_line(
    tmp_path: Path, call: str, method: str, sent: list[Any]
) -> None:
    echo = Echo("", lambda method, args: [{"id": "x"}] if "Batch" in method else {"id": "x"})
    code = f"for _ in range(3):\n    await env.{call}"
    kinds = {"FLOW": {"kind": "workflow"}, "AI": {"kind": "ai"}}
    _, told = seen_and_told(tmp_path, code, {"FLOW": echo, "AI": echo}, kinds=kinds)
    assert echo.calls == [(method, sent)] * 3
    (line,) = told
    assert line.startswith("warning: src/entry.py:10: env.")
    assert "gets options and keywords; JavaScript reads the first only" in line


def test_none_is_a_column_too(tmp_path: Path) -> None:
    code = """
try:
    await env.DB.prepare("SELECT 1 AS one").first(None)
except JsException as error:
    out = str(error)
"""
    expected = "Error: D1_COLUMN_NOTFOUND: Column not found (null)"
    assert seen(tmp_path, code, {"DB": D1(tmp_path / "d1.sqlite")}) == expected


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("delete_batch(['x'])", "env.FLOW.delete_batch is an AttributeError when it is deployed"),
        ("create_batch(count=2)", "create_batch() of anything but a list raises a TypeError when"),
    ],
)
def test_names_that_the_published_sdk_lacks_work_with_a_warning(
    tmp_path: Path, call: str, says: str
) -> None:
    flow = Echo("workflow", lambda method, args: {"created": [], "errors": [], "deleted": []})
    _, told = seen_and_told(tmp_path, f"await env.FLOW.{call}", {"FLOW": flow})
    assert says in told[0]
    assert "src/entry.py:9: " in told[0]
