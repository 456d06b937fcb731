"""What is found in the source of workflows, and what is not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from emulator.determinism import findings

HEAD = """
import asyncio, datetime as dt, random, time, uuid
from datetime import datetime
import helpers
from workers import WorkflowEntrypoint, fetch

seen = []
LIMITS = ["a", "b"]


def now():
    return datetime.now()


class Base(WorkflowEntrypoint):
    pass


class Flow(Base):
    def today(self):
        return dt.date.today()

    async def run(self, event, step):
"""


def kinds(body: str) -> list[str]:
    """Return the kinds of what is found in a `run()` with this body."""
    return [
        found.kind
        for found in findings(
            HEAD + textwrap.indent(textwrap.dedent(body), " " * 8), Path("entry.py")
        )
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("started = time.time()", ["time"]),
        ("started = datetime.now()", ["time"]),
        ("await asyncio.sleep(1)", ["time"]),
        ("started = now()", ["time"]),  # in a function of the module
        ("started = self.today()", ["time"]),  # in a method of the class
        ("id = uuid.uuid4()", ["chance"]),
        ("winner = random.choice([1, 2])", ["chance"]),
        ("await fetch('https://a.example')", ["effect"]),
        ("await self.env.DB.prepare('SELECT 1').all()", ["effect"]),
        ("await self.env.KV.put('a', 'b')", ["effect"]),
        ("return len(seen)", ["state"]),
        ("return LIMITS[0]", []),
        ("await step.do(f'charge {random.random()}', charge)", ["chance", "name"]),
        ("await helpers.store(self.env)", ["unknown"]),
        ("await store(self.env)", ["unknown"]),
    ],
)
def test_what_is_outside_of_steps_is_found(body: str, expected: list[str]) -> None:
    assert sorted(set(kinds(body))) == expected


def test_what_steps_do_is_theirs_but_not_what_they_change_outside() -> None:
    body = """
        total = 0
        rows = []
        record = {}

        @step.do("first")
        async def first():
            nonlocal total
            total += 1
            mine = []
            mine.append(random.random())
            rows.append(time.time())
            record["a"] = await fetch("https://a.example")
            return mine

        await first()

        async def second():
            return uuid.uuid4()

        await step.do("second", second)
        await step.do("third", lambda: datetime.now())
    """

    assert kinds(body) == ["write", "write", "write"]


def test_code_that_is_no_workflow_is_left_alone() -> None:
    assert (
        findings(
            "import time\n\nclass Other:\n    def run(self):\n        time.time()\n",
            Path("entry.py"),
        )
        == []
    )
    assert findings("class Flow(WorkflowEntrypoint):\n    pass\n", Path("entry.py")) == []


def test_findings_say_where_and_what_to_do() -> None:
    (found,) = findings(HEAD + "        return time.time()\n", Path("entry.py"))

    assert found.text == "time.time() outside of a step"
    assert found.line == HEAD.count("\n") + 1
    assert "Ask for it in a step" in found.advice
