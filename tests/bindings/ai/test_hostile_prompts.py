"""Inputs of megabytes: every kind of call is answered or refused, and nothing stands still."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bindings.ai.catalogue import BY_NAME, MODELS, Api
from bindings.ai.settings import Rule
from bindings.binding import ByteStream
from emulator.errors import WorkerError

from ...watchdog import loop_watch
from .calls import BGE, GLM, LLAMA, new_ai

LONG = 2_000_000
RULES = (
    Rule(prompt=r"(\w+\s*)+zzz$", text="never"),
    Rule(input={"messages[*].content": {"matches": "^(a+)+$b"}}, text="never"),
)


def model_of(api: Api) -> str:
    return next(model.name for model in MODELS if model.api == api)


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def messages(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": text}, {"role": "user", "content": text}]}


CALLS: dict[str, tuple[str, Any]] = {
    "a long word": (GLM, messages("a" * LONG)),
    "blanks": (GLM, messages(" " * LONG)),
    "sentences": (GLM, messages("Want more. " * (LONG // 11))),
    "a prompt that is too long": (LLAMA, {"prompt": "a" * LONG}),
    "an enum that is none": (LLAMA, {"prompt": "x", "response_format": {"type": "a" * LONG}}),
    "many messages": (GLM, {"messages": [{"role": "user", "content": "Hello there"}] * 100_000}),
    "parts": (GLM, {"messages": [{"role": "user", "content": [{"text": "a"}] * 200_000}]}),
    "tools": (
        GLM,
        {
            **messages("Go on"),
            "tools": [{"type": "function", "function": {"name": "x y"}}] * 50_000,
        },
    ),
    "nesting": (GLM, {**messages("x"), "tools": nested(900)}),
    "texts to embed": (BGE, {"text": ["word " * 20_000] * 100}),
    "a text to embed": (BGE, {"text": "a1b2 c" * (LONG // 6)}),
    "contexts": (model_of(Api.RERANK), {"query": "a", "contexts": [{"text": "a b"}] * 100_000}),
    "a text to sum up": (model_of(Api.SUMMARIZATION), {"input_text": "a. " * (LONG // 3)}),
    "a text to say": (model_of(Api.AURA), {"text": "a " * LONG, "encoding": "linear16"}),
    "a text to say in FLAC": (model_of(Api.AURA), {"text": "a " * LONG, "encoding": "flac"}),
    "a picture of numbers": (model_of(Api.IMAGE_TO_TEXT), {"image": [1] * LONG}),
    "a picture of names": (
        model_of(Api.IMAGE_TO_TEXT),
        {"image": {str(n): 1 for n in range(99_999)}},
    ),
    "sound in base64": (model_of(Api.WHISPER_TURBO), {"audio": "QUFB" * (LONG // 4)}),
    "a picture to draw": (model_of(Api.FLUX), {"prompt": "a" * 2_000, "width": 2_048}),
    "a picture's form": (
        model_of(Api.FLUX_2),
        {
            "multipart": {
                "body": b"--b\r\n" * 300_000,
                "contentType": "multipart/form-data; boundary=b",
            }
        },
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_stops_while_a_call_is_answered(name: str) -> None:
    model, inputs = CALLS[name]
    assert model in BY_NAME

    async def scenario() -> None:
        ai = new_ai(*RULES)
        await ai.run(LLAMA, {"prompt": "warm up"})
        with loop_watch():
            try:
                answer = await ai.run(model, inputs)
            except WorkerError as error:
                assert len(error.message) < 3_000
                answer = None
            if isinstance(answer, ByteStream):
                assert [chunk async for chunk in answer.chunks]
        await ai.close()

    asyncio.run(scenario())


def test_a_batch_of_megabytes_is_refused_and_holds_nobody_up() -> None:
    async def scenario() -> None:
        ai = new_ai()
        await ai.run(LLAMA, {"prompt": "warm up"})
        with loop_watch(), pytest.raises(WorkerError, match="3006: Request is too large"):
            requests = [{"prompt": "a" * 1_000}] * 20_000
            await ai.run(LLAMA, {"requests": requests}, {"queueRequest": True})
        await ai.close()

    asyncio.run(scenario())


def test_rules_with_a_sequence_answer_in_the_order_of_the_calls() -> None:
    async def scenario() -> list[Any]:
        ai = new_ai(Rule(sequence=tuple(f"answer {n}" for n in range(50))))
        prompts = ["word " * (20_000 if n % 2 else 1) for n in range(50)]
        answers = await asyncio.gather(*(ai.run(GLM, messages(text)) for text in prompts))
        await ai.close()
        return [answer["choices"][0]["message"]["content"] for answer in answers]

    assert asyncio.run(scenario()) == [f"answer {n}" for n in range(50)]
