"""Answers of any size in the envelope."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from emulator.protocol.deep_json import is_large
from emulator.server.api.bodies import body_bytes
from emulator.server.api.envelope import Answer, endpoint, success
from tests.server.serving import run
from tests.watchdog import loop_watch


@pytest.mark.parametrize(
    "made",
    [
        lambda: [[number / 7 for number in range(768)] for _ in range(500)],
        lambda: [{"id": f"{number}", "metadata": {"n": number}} for number in range(100_000)],
        lambda: ["some text " * 1_000 for _ in range(5_000)],
    ],
    ids=["vectors", "records", "texts"],
)
def test_a_large_answer_holds_nobody_up(made: Callable[[], Any]) -> None:
    result = made()

    async def main() -> bytes:
        with loop_watch():
            return bytes((await success(Answer(result))).body)

    assert json.loads(run(main()))["result"] == result


@pytest.mark.parametrize("depth", [10, 2_000])
def test_a_large_answer_may_be_nested_deeply(depth: int) -> None:
    deep: Any = list(range(10_000))
    for _ in range(depth):
        deep = {"in": deep}

    body = bytes(run(success(Answer(deep))).body).decode()

    assert body.count('{"in":') == depth
    assert body.endswith("9999]" + "}" * depth + "}")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, False),
        ({"status": "complete", "output": [1] * 1_000}, False),
        ("x" * 100_000, False),
        ([0] * 5_001, True),
        ([[0] * 100] * 100, True),
        ({str(number): "x" * 10_000 for number in range(200)}, True),
    ],
)
def test_what_takes_long_to_encode_is_large(result: Any, expected: bool) -> None:
    assert is_large(result) == expected


def test_a_client_that_goes_away_within_its_body_is_no_error_of_ours() -> None:
    async def handler(request: Request) -> Answer:
        return Answer((await body_bytes(request, 100)).decode())

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def main() -> int:
        request = Request({"type": "http", "method": "POST", "headers": []}, gone)
        return (await endpoint(handler)(request)).status_code

    assert run(main()) == 499
