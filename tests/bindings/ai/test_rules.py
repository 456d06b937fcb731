"""Fixed answers: which rule answers, and in which shape."""

from __future__ import annotations

import asyncio
import tomllib

import pytest

from bindings.ai.ai import Ai
from bindings.ai.settings import Rule
from emulator.clock import VirtualClock
from emulator.errors import WorkerError

from .calls import BGE, GLM, LLAMA, events, new_ai, run

FLUX = "@cf/black-forest-labs/flux-1-schnell"


def test_the_first_rule_whose_conditions_all_hold_answers() -> None:
    ai = new_ai(
        Rule(model="@cf/meta/*", prompt="(?i)weather", text="Rain."),
        Rule(task="text-generation", text="Anything."),
    )

    assert run(LLAMA, {"prompt": "The Weather?"}, ai=ai)["response"] == "Rain."
    assert run(LLAMA, {"prompt": "Hello"}, ai=ai)["response"] == "Anything."
    assert run(GLM, {"prompt": "weather"}, ai=ai)["choices"][0]["message"]["content"] == "Anything."
    assert run(BGE, {"text": "weather"}, ai=ai)["shape"] == [1, 768]


def test_a_pattern_is_searched_in_every_message() -> None:
    ai = new_ai(Rule(prompt="pirate", text="Arr."))
    messages = [
        {"role": "system", "content": "Talk like a pirate"},
        {"role": "user", "content": "Hi"},
    ]

    assert run(LLAMA, {"messages": messages}, ai=ai)["response"] == "Arr."


def test_a_sequence_advances_with_each_call_and_its_last_answer_repeats() -> None:
    ai = new_ai(Rule(sequence=("one", {"n": 2})))

    answers = [run(LLAMA, {"prompt": "x"}, ai=ai)["response"] for _ in range(3)]

    assert answers == ["one", '{"n":2}', '{"n":2}']


def test_json_is_the_object_of_json_mode() -> None:
    ai = new_ai(Rule(json={"intent": "x"}))
    inputs = {"prompt": "x", "response_format": {"type": "json_object"}}

    assert run(LLAMA, inputs, ai=ai)["response"] == {"intent": "x"}
    assert run(GLM, inputs, ai=ai)["choices"][0]["message"]["content"] == '{"intent":"x"}'


def test_json_with_tool_calls_calls_tools() -> None:
    call = {"name": "get_weather", "arguments": {"city": "Lisbon"}}
    ai = new_ai(Rule(json={"tool_calls": [call]}))

    assert run(LLAMA, {"prompt": "x"}, ai=ai)["tool_calls"] == [call]


def test_json_is_the_whole_result_of_any_other_task() -> None:
    ai = new_ai(Rule(model=FLUX, json={"image": "aGk="}))

    assert run(FLUX, {"prompt": "a cat"}, ai=ai) == {"image": "aGk="}


def test_a_fixed_text_streams_too() -> None:
    ai = new_ai(Rule(text="One two three."))

    sent = events(run(LLAMA, {"prompt": "x", "stream": True}, ai=ai))

    assert [event["response"] for event in sent] == ["One", " two", " three.", ""]


def test_an_error_is_raised_as_production_words_it() -> None:
    ai = new_ai(Rule(error={"code": 3040, "message": "Capacity temporarily exceeded"}))

    with pytest.raises(WorkerError) as caught:
        run(LLAMA, {"prompt": "x"}, ai=ai)

    assert caught.value.message == "3040: Capacity temporarily exceeded"
    assert caught.value.code == 3040


def test_fixed_answers_do_not_excuse_bad_inputs() -> None:
    with pytest.raises(WorkerError, match="^5006"):
        run(LLAMA, {}, ai=new_ai(Rule(text="x")))


def test_a_delay_is_taken_on_the_clock() -> None:
    clock = VirtualClock()
    ai = Ai([Rule(text="late", delay_ms=60_000)], clock=clock)

    async def scenario() -> None:
        call = asyncio.ensure_future(ai.call("run", [LLAMA, {"prompt": "x"}]))
        while clock.next_ms() is None:
            await asyncio.sleep(0)
        clock.advance(59_999)
        await asyncio.sleep(0)
        assert not call.done()
        clock.advance(1)
        assert (await call)["response"] == "late"

    asyncio.run(scenario())


def test_strict_refuses_what_no_rule_answers_and_shows_the_rule_to_add() -> None:
    ai = new_ai(Rule(prompt="known", text="x"), strict=True)
    prompt = 'How much is "1+1"?\nTell me.'

    assert run(LLAMA, {"prompt": "known"}, ai=ai)["response"] == "x"
    with pytest.raises(WorkerError, match="strict is on") as caught:
        run(LLAMA, {"prompt": prompt}, ai=ai)

    block = caught.value.message.partition("\n\n")[2]
    entry = tomllib.loads(block)["ai"]["rules"][0]
    assert entry["model"] == LLAMA
    added = new_ai(Rule(**entry), strict=True)
    assert run(LLAMA, {"prompt": prompt}, ai=added)["response"] == "…"
