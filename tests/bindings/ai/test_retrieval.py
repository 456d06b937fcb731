"""What the stub finds: the sentence of a context, and the tool, that fit a question."""

from __future__ import annotations

from typing import Any

import pytest

from bindings.ai.prompts import Prompt, from_messages, from_text
from bindings.ai.retrieval import fitting_tool, quoted
from tests.bindings.ai.calls import GLM, LLAMA, run

CONTEXT = """Answer from the context alone.
The library opens at nine o'clock on weekdays.
A book can be borrowed for four weeks.
The café sells coffee and cake on the ground floor."""
WEATHER = {
    "name": "get_weather",
    "description": "Tells the current weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city"}},
        "required": ["city"],
    },
}
STOCKS = {"name": "stock_price", "description": "Returns what a share of a company costs."}


def chat(*texts: tuple[str, str]) -> Prompt:
    return from_messages([{"role": role, "content": text} for role, text in texts])


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("For how many weeks can I borrow a book?", "A book can be borrowed for four weeks."),
        ("Hello! When does the library open?", "The library opens at nine o'clock on weekdays."),
        ("Is there coffee?", "The café sells coffee and cake on the ground floor."),
        ("Who was Ada Lovelace?", ""),
        ("Tell me about coffee.", ""),
    ],
)
def test_the_sentence_that_fits_best_is_quoted(question: str, sentence: str) -> None:
    assert quoted(chat(("system", CONTEXT), ("user", question))) == sentence
    assert quoted(from_text(f"{CONTEXT}\n\n{question}")) == sentence


def test_an_answer_with_a_context_ends_with_its_sentence() -> None:
    messages = [
        {"role": "system", "content": CONTEXT},
        {"role": "user", "content": "How long can a book be borrowed?"},
    ]

    response = run(LLAMA, {"messages": messages})["response"]

    assert response.endswith("\n\nA book can be borrowed for four weeks.")
    assert run(LLAMA, {"messages": messages})["response"] == response


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Do I need an umbrella for the weather in Lisbon?", "get_weather"),
        ("Which city has the current record?", "get_weather"),
        ("What does a share of that company cost?", "stock_price"),
        ("What is the price of Cloudflare?", "stock_price"),
        ("Get me a poem.", None),
        ("Hello!", None),
    ],
)
def test_a_tool_is_called_if_the_question_fits_it(question: str, name: str | None) -> None:
    found = fitting_tool(from_text(question), [STOCKS, WEATHER])

    assert (found and found["name"]) == name


def test_an_agent_comes_to_an_end() -> None:
    tools: list[Any] = [{"type": "function", "function": tool} for tool in (STOCKS, WEATHER)]
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Lisbon?"}]
    first = run(GLM, {"messages": messages, "tools": tools})["choices"][0]
    assert first["finish_reason"] == "tool_calls"
    call = first["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather"

    messages += [first["message"]]
    messages += [{"role": "tool", "tool_call_id": call["id"], "content": '{"degrees": 21}'}]
    second = run(GLM, {"messages": messages, "tools": tools})["choices"][0]

    assert second["finish_reason"] == "stop"
    assert '{"degrees": 21}' in second["message"]["content"]
