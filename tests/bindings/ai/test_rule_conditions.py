"""Conditions on inputs, and how a rule cuts a stream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bindings.ai.rules import values_at
from bindings.ai.settings import Rule
from bindings.binding import ByteStream
from emulator.errors import WorkerError

from .calls import LLAMA, events, new_ai, run

INPUTS = {
    "messages": [
        {"role": "system", "content": "Be kind"},
        {"role": "user", "content": "Hi"},
    ],
    "tools": [],
    "seed": 5,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("seed", [5]),
        ("messages[0].role", ["system"]),
        ("messages[-1].content", ["Hi"]),
        ("messages[*].role", ["system", "user"]),
        ("messages[7].role", []),
        ("nothing.here", []),
        ("seed.x", []),
        ("seed[0]", []),
    ],
)
def test_a_path_leads_to_values(path: str, found: list[Any]) -> None:
    assert list(values_at(INPUTS, path)) == found


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"seed": 5}, True),
        ({"seed": 6}, False),
        ({"seed": 5, "messages[0].role": "system"}, True),
        ({"messages[*].content": {"matches": "^B"}}, True),
        ({"messages[1].content": {"matches": "^B"}}, False),
        ({"seed": {"matches": "5"}}, False),
        ({"stream": {"exists": False}}, True),
        ({"seed": {"exists": False}}, False),
        ({"tools": []}, True),
    ],
)
def test_a_rule_fits_when_the_inputs_hold_what_it_says(
    condition: dict[str, Any], fits: bool
) -> None:
    ai = new_ai(Rule(input=condition, text="matched"))

    assert (run(LLAMA, INPUTS, ai=ai)["response"] == "matched") == fits


def test_an_error_without_a_message_has_productions() -> None:
    with pytest.raises(WorkerError) as caught:
        run(LLAMA, {"prompt": "x"}, ai=new_ai(Rule(error={"code": 3036})))

    assert caught.value.message.startswith("3036: You have used up your daily free allocation")


def test_a_stream_is_cut_into_events_of_so_many_words() -> None:
    ai = new_ai(Rule(text="one two three four five", stream_words=2))

    sent = events(run(LLAMA, {"prompt": "x", "stream": True}, ai=ai))

    assert [event["response"] for event in sent] == ["one two", " three four", " five", ""]


def test_a_stream_is_cut_into_chunks_of_so_many_bytes() -> None:
    whole = run(LLAMA, {"prompt": "x", "stream": True}, ai=new_ai(Rule(text="one two")))

    async def read() -> list[bytes]:
        ai = new_ai(Rule(text="one two", stream_bytes=7))
        stream = await ai.run(LLAMA, {"prompt": "x", "stream": True})
        assert isinstance(stream, ByteStream)
        return [chunk async for chunk in stream.chunks]

    chunks = asyncio.run(read())
    assert {len(chunk) for chunk in chunks[:-1]} == {7}
    assert b"".join(chunks).decode() == whole


def test_a_model_that_only_a_rule_names_answers() -> None:
    new = "@cf/new/model-of-tomorrow"
    ai = new_ai(
        Rule(model=new, text="Hello from tomorrow."),
        Rule(model="@cf/new/embed", task="text embeddings", json={"shape": [1, 2]}),
    )

    assert run(new, {"prompt": "x"}, ai=ai)["response"] == "Hello from tomorrow."
    assert run("@cf/new/embed", {"text": "x"}, ai=ai) == {"shape": [1, 2]}
    with pytest.raises(WorkerError, match="5007"):
        run("@cf/new/other", {"prompt": "x"}, ai=ai)


def test_a_sequence_may_fail_before_it_works() -> None:
    ai = new_ai(Rule(sequence=({"error": {"code": 3007}}, "fine")))

    with pytest.raises(WorkerError, match="3007: Request timeout"):
        run(LLAMA, {"prompt": "x"}, ai=ai)
    assert run(LLAMA, {"prompt": "x"}, ai=ai)["response"] == "fine"
