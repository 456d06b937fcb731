"""What `env.AI.run` answers for each kind of model, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from typing import Any

import pytest

from emulator.errors import WorkerError

from .calls import BGE, GLM, GPT_OSS, LLAMA, events, new_ai, run

BRIEF = (
    "We run a chain of twelve bakeries and want an online shop where customers order cakes for "
    "pickup. Payments are by card. The shop staff needs a dashboard with sales figures. Our site "
    "is slow. Everything should be ready by spring."
)


def test_text_generation_answers_with_text_from_the_prompt_and_usage() -> None:
    answer = run(LLAMA, {"prompt": BRIEF})

    assert "online shop where customers order cakes" in answer["response"]
    assert LLAMA in answer["response"]
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_last_message_of_the_user_is_what_is_answered() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Tell me about zebras."},
        {"role": "assistant", "content": "They have stripes."},
        {"role": "user", "content": [{"type": "text", "text": "And about giraffes?"}]},
    ]

    answer = run(LLAMA, {"messages": messages})["response"]

    assert "giraffes" in answer
    assert "zebras" not in answer


def test_max_tokens_cuts_the_answer() -> None:
    answer = run(LLAMA, {"prompt": BRIEF, "max_tokens": 3})

    assert answer["response"] == "This is a"


def test_a_chat_model_answers_as_openai_chat_completions() -> None:
    answer = run(GLM, {"messages": [{"role": "user", "content": BRIEF}]})

    assert answer["object"] == "chat.completion"
    assert answer["model"] == GLM
    assert answer["created"] == 1_767_225_600
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert "online shop" in choice["message"]["content"]


def test_a_responses_model_answers_as_openai_responses() -> None:
    answer = run(GPT_OSS, {"input": BRIEF, "instructions": "Be kind."})

    assert answer["object"] == "response"
    assert answer["status"] == "completed"
    assert answer["output"][0]["content"][0]["text"] == answer["output_text"]
    assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [(BGE, 768), ("@cf/baai/bge-small-en-v1.5", 384), ("@cf/pfnet/plamo-embedding-1b", 2048)],
)
def test_embeddings_have_the_models_own_dimension_and_unit_length(
    model: str, dimensions: int
) -> None:
    answer = run(model, {"text": ["one text", "another"]})

    assert answer["shape"] == [2, dimensions]
    assert [len(vector) for vector in answer["data"]] == [dimensions, dimensions]
    for vector in answer["data"]:
        assert math.fsum(value * value for value in vector) == pytest.approx(1, abs=1e-5)


def test_a_single_text_gives_one_vector_the_same_as_in_a_list() -> None:
    assert run(BGE, {"text": BRIEF}) == run(BGE, {"text": [BRIEF]})
    assert run(BGE, {"text": BRIEF})["pooling"] == "mean"


def test_bge_m3_ranks_contexts_when_asked_with_a_query() -> None:
    contexts = [{"text": "Cooking pasta"}, {"text": "Repairing bicycles and wheels"}]

    answer = run("@cf/baai/bge-m3", {"query": "bicycle repair", "contexts": contexts})

    assert [item["id"] for item in answer["response"]] == [1, 0]


def test_the_reranker_returns_the_best_contexts_first() -> None:
    contexts = [{"text": "Cooking pasta"}, {"text": "Repair of bicycles"}, {"text": "A bicycle"}]

    answer = run(
        "@cf/baai/bge-reranker-base",
        {"query": "bicycle repair", "contexts": contexts, "top_k": 2},
    )

    assert [item["id"] for item in answer["response"]] == [1, 2]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("This pizza is great, I love it!", "POSITIVE"),
        ("The worst service ever, a terrible waste of money", "NEGATIVE"),
        ("This film is not good", "NEGATIVE"),
        ("No problems at all, works perfectly", "POSITIVE"),
    ],
)
def test_sentiment_gives_both_labels_with_scores_that_sum_to_one(text: str, label: str) -> None:
    answer = run("@cf/huggingface/distilbert-sst-2-int8", {"text": text})

    assert [item["label"] for item in answer] == ["NEGATIVE", "POSITIVE"]
    assert sum(item["score"] for item in answer) == pytest.approx(1)
    assert max(answer, key=lambda item: float(item["score"]))["label"] == label


def test_translation_and_summarization_answer_in_their_shapes() -> None:
    translated = run("@cf/meta/m2m100-1.2b", {"text": "Hello", "target_lang": "fr"})
    summary = run("@cf/facebook/bart-large-cnn", {"input_text": BRIEF, "max_length": 20})

    assert translated["translated_text"] == "[fr] Hello"
    assert set(summary) == {"summary"}
    assert 0 < len(summary["summary"]) < len(BRIEF)


def test_a_stream_carries_the_whole_answer_and_ends_with_usage_and_done() -> None:
    whole = run(LLAMA, {"prompt": BRIEF})

    text = run(LLAMA, {"prompt": BRIEF, "stream": True})

    assert text.endswith("data: [DONE]\n\n")
    sent = events(text)
    assert "".join(event["response"] for event in sent) == whole["response"]
    assert sent[-1] == {"response": "", "usage": whole["usage"]}
    assert all(event["p"] for event in sent[:-1])


def test_a_chat_stream_sends_chunks_with_deltas() -> None:
    inputs = {"messages": [{"role": "user", "content": BRIEF}]}
    whole = run(GLM, inputs)["choices"][0]["message"]["content"]

    sent = events(run(GLM, {**inputs, "stream": True}))

    deltas = [event["choices"][0]["delta"] for event in sent if event["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == whole
    assert sent[-2]["choices"][0]["finish_reason"] == "stop"


def test_a_responses_stream_ends_with_the_completed_response() -> None:
    whole = run(GPT_OSS, {"input": BRIEF})

    sent = events(run(GPT_OSS, {"input": BRIEF, "stream": True}))

    pieces = [e["delta"] for e in sent if e["type"] == "response.output_text.delta"]
    assert "".join(pieces) == whole["output_text"]
    assert sent[-1] == {"type": "response.completed", "response": whole}


WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
    },
}


def test_a_required_tool_is_called_with_arguments_that_fit() -> None:
    inputs = {"prompt": "How is Lisbon?", "tools": [WEATHER], "tool_choice": "required"}

    answer = run(LLAMA, inputs)

    assert answer["response"] is None
    call = answer["tool_calls"][0]
    assert call["name"] == "get_weather"
    assert isinstance(call["arguments"]["city"], str)


def test_a_chat_models_tool_call_has_its_arguments_as_json_text() -> None:
    tools = [{"type": "function", "function": WEATHER}]
    messages = [{"role": "user", "content": "Please get weather for Lisbon"}]

    choice = run(GLM, {"messages": messages, "tools": tools})["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    call = choice["message"]["tool_calls"][0]
    assert call["type"] == "function"
    assert "city" in json.loads(call["function"]["arguments"])


def test_tools_that_nobody_spoke_of_are_not_called() -> None:
    assert "tool_calls" not in run(LLAMA, {"prompt": "Hello", "tools": [WEATHER]})


@pytest.mark.parametrize(
    ("model", "inputs", "name", "message"),
    [
        ("@cf/x/y", {"prompt": "x"}, "AiError", "5007: No such model @cf/x/y or task"),
        (
            LLAMA,
            {},
            "AiError",
            "5006: Error: oneOf at '/' not met, 0 matches: required properties at '/' are "
            "'prompt', required properties at '/' are 'messages'",
        ),
        (
            LLAMA,
            {"prompt": "x", "messages": []},
            "InvalidInput",
            "1001: prompt and messages are mutually exclusive",
        ),
        (
            LLAMA,
            {"prompt": 5},
            "AiError",
            "5006: Error: oneOf at '/' not met, 0 matches: Type mismatch of '/prompt', 'string' "
            "not in 'number','integer', required properties at '/' are 'messages'",
        ),
        (
            LLAMA,
            {"prompt": ""},
            "AiError",
            "5006: Error: oneOf at '/' not met, 0 matches: Length of '/prompt' must be >= 1 not "
            "met, required properties at '/' are 'messages'",
        ),
        (
            LLAMA,
            {"prompt": "x", "temperature": 9},
            "AiError",
            "5006: Error: oneOf at '/' not met, 0 matches: '/temperature' must be <= 5",
        ),
        (LLAMA, "x", "AiError", "5006: Error: Type mismatch of '/', 'object' not in 'string'"),
        (
            LLAMA,
            {"messages": [{"role": "user"}]},
            "AiError",
            "5006: Error: required properties at '/messages/0' are 'role,content'",
        ),
        (
            LLAMA,
            {"prompt": "x", "stream": True, "response_format": {"type": "json_object"}},
            "AiError",
            "5006: Error: response_format cannot be combined with stream",
        ),
        (
            BGE,
            {"text": ["x"] * 101},
            "AiError",
            "5006: Error: oneOf at '/text' not met, 0 matches: Type mismatch of '/text', 'string' "
            "not in 'array','binary', '/text' must have 1 to 100 items, got 101",
        ),
        (BGE, {}, "AiError", "5006: Error: required properties at '/' are 'text'"),
        (
            BGE,
            {"text": ["x", 5]},
            "AiError",
            "5006: Error: oneOf at '/text' not met, 0 matches: Type mismatch of '/text', 'string' "
            "not in 'array','binary', Type mismatch of '/text/1', 'string' not in "
            "'number','integer'",
        ),
        (
            BGE,
            {"text": "x", "pooling": "max"},
            "AiError",
            "5006: Error: enum max not in mean,cls at '/pooling'",
        ),
        (
            "@cf/meta/m2m100-1.2b",
            {"text": "x"},
            "AiError",
            "5006: Error: required properties at '/' are 'text,target_lang'",
        ),
    ],
)
def test_bad_inputs_are_refused_in_productions_words(
    model: str, inputs: Any, name: str, message: str
) -> None:
    with pytest.raises(WorkerError) as caught:
        run(model, inputs)

    assert caught.value.name == name
    assert caught.value.message == message
    assert caught.value.code == int(message[:4])


def test_a_model_that_is_spoken_to_by_websocket_says_so_and_names_the_way_out() -> None:
    with pytest.raises(WorkerError, match=r"does not emulate @cf/deepgram/flux.*\[\[ai.rules\]\]"):
        run("@cf/deepgram/flux", {"encoding": "linear16"})


def test_the_websocket_option_is_refused_by_name() -> None:
    with pytest.raises(WorkerError, match="websocket"):
        run(LLAMA, {"prompt": "x"}, {"websocket": True})


@pytest.mark.parametrize("tags", ["x", ["a"] * 6, ["with space"], ["x" * 51], [5], [""]])
def test_tags_that_the_service_refuses_are_refused(tags: Any) -> None:
    with pytest.raises(WorkerError, match="1001: tag"):
        run(LLAMA, {"prompt": "x"}, {"tags": tags})


def test_a_gateway_option_changes_nothing() -> None:
    assert run(LLAMA, {"prompt": "x"}, {"gateway": {"id": "g"}}) == run(LLAMA, {"prompt": "x"})


def test_models_can_be_searched() -> None:
    ai = new_ai()

    found = asyncio.run(ai.call("models", [{"search": "bge-base", "task": "Text Embeddings"}]))

    assert [model["name"] for model in found] == [BGE]
    assert {"property_id": "output_dimensions", "value": "768"} in found[0]["properties"]
    assert len(asyncio.run(ai.call("models", []))) > 50


@pytest.mark.parametrize("params", [{"page": 2, "per_page": 5}, {"page": "2", "per_page": "5"}])
def test_models_come_in_pages(params: dict[str, Any]) -> None:
    everything = new_ai().models({})

    assert new_ai().models(params) == everything[5:10]
    assert new_ai().models({"page": -3}) == everything
    with pytest.raises(WorkerError, match="per_page must be a number"):
        new_ai().models({"per_page": "many"})


def test_an_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(WorkerError, match="env.AI.teleport"):
        asyncio.run(new_ai().call("teleport", []))


def test_concurrent_calls_do_not_mix() -> None:
    ai = new_ai()

    async def many() -> list[Any]:
        return await asyncio.gather(
            *(ai.call("run", [BGE, {"text": f"text {n}"}]) for n in range(20))
        )

    assert asyncio.run(many()) == [run(BGE, {"text": f"text {n}"}) for n in range(20)]


def test_answers_do_not_depend_on_the_process() -> None:
    program = (
        "import asyncio, hashlib, json; from bindings.ai.ai import Ai\n"
        f"call = Ai().call('run', [{BGE!r}, {{'text': {BRIEF!r}}}])\n"
        "print(hashlib.sha256(json.dumps(asyncio.run(call)).encode()).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1
