"""The AI binding: `run` and `models`.

One call: find the model, let the rules answer, else the stub for the model's API, in its shape.
Stubs run on a thread, so that a long prompt or a hundred texts do not hold up the event loop.

Source: workerd src/cloudflare/internal/ai-api.ts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from bindings.ai import embeddings, generation, inputs, text
from bindings.ai.catalogue import BY_NAME, MODELS, Api, Model
from bindings.ai.classify import classify_sentiment, rerank
from bindings.ai.errors import bad_input, no_such_model, not_emulated
from bindings.ai.language import count_tokens
from bindings.ai.model_search import search_models
from bindings.ai.rules import Reply, Rule, RuleBook, missing_rule
from bindings.binding import ByteStream, Value
from emulator.clock import Clock, SystemClock
from emulator.errors import WorkerError

DEFAULT_SUMMARY_TOKENS = 1024
METHODS = ("run", "models")


class Ai:
    """The binding. `rules` give fixed answers; with `strict`, nothing else answers.

    `clock` delays answers and dates them.
    """

    kind = "ai"

    def __init__(
        self, rules: Sequence[Rule] = (), *, strict: bool = False, clock: Clock | None = None
    ) -> None:
        self._rules = RuleBook(rules)
        self._strict = strict
        self._clock = clock or SystemClock()

    async def call(self, method: str, args: list[Value]) -> Value:
        """Run `run(model, inputs, options?)` or `models(params?)`; raises WorkerError.

        With `stream: true`, `run` returns a ByteStream of server-sent events.
        """
        match method:
            case "run":
                return await self._answer(*_three(args))
            case "models":
                return search_models(MODELS, args[0] if args else None)
            case _:
                raise not_emulated(f"env.AI.{method}", f"It has {' and '.join(METHODS)}.")

    async def close(self) -> None:
        """Nothing is held open."""

    async def _answer(self, model_name: Value, values: Value, options: Value) -> Value:
        model = _find_model(model_name)
        _check_options(options)
        prompt = inputs.prompt_text(values)
        reply = self._rules.reply(model, prompt)
        if reply is None and self._strict:
            raise missing_rule(model, prompt)
        reply = reply or Reply()
        if reply.delay_ms:
            await self._pause(reply.delay_ms)
        if reply.error is not None:
            raise reply.error
        now_ms = self._clock.now_ms()
        result = await asyncio.to_thread(respond, model, values, reply.value, now_ms)
        return ByteStream(_read(result), "text/event-stream") if type(result) is Events else result

    async def _pause(self, delay_ms: int) -> None:
        due = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not due.done():
                due.set_result(None)

        alarm = self._clock.call_at(self._clock.now_ms() + delay_ms, wake)
        try:
            await due
        finally:
            alarm.cancel()


class Events(list[bytes]):
    """Server-sent events, which leave as a stream."""


async def _read(events: Events) -> AsyncIterator[bytes]:
    for event in events:
        yield event


def respond(model: Model, values: Value, fixed: Value, now_ms: int) -> Value:
    """Return a model's answer, pure; `fixed` is what a rule has it answer, None for the stub.

    For a text generation model `fixed` is what the model says; for every other one a JSON value
    is its whole result, and a text the text in it.
    """
    if model.api in (Api.GENERATION, Api.CHAT, Api.RESPONSES):
        request = inputs.parse_generation(model, values)
        said = (
            generation.compose(model, request)
            if fixed is None
            else generation.from_rule(fixed, request)
        )
        if request.is_stream:
            return Events(generation.stream(model, request, said, now_ms))
        return generation.answer(model, request, said, now_ms)
    if fixed is not None and not isinstance(fixed, str):
        return fixed
    if model.api == Api.NOT_EMULATED:
        raise not_emulated(
            f"{model.task} ({model.name})",
            "An [[ai.rules]] entry with json in groundfog.toml can answer for it.",
        )
    return TASKS[model.api](model, values, fixed)


def _embed(model: Model, values: Value, fixed: str | None) -> Value:
    request = inputs.parse_embeddings(model, values)
    if request.query is not None:
        return {"response": rerank(request.query, request.texts, None)}
    salt = f"{model.name}\0{request.pooling}"
    data = [embeddings.embed(item, model.dimensions, salt) for item in request.texts]
    shape = [len(data), model.dimensions]
    pooling = {"pooling": request.pooling} if request.pooling else {}
    if "contexts" in values and "text" not in values:
        return {"response": data, "shape": shape, **pooling}
    return {"shape": shape, "data": data, **pooling}


def _rerank(model: Model, values: Value, fixed: str | None) -> Value:
    return {"response": rerank(*inputs.parse_rerank(values))}


def _classify(model: Model, values: Value, fixed: str | None) -> Value:
    return classify_sentiment(inputs.parse_text(values, "text")["text"])


def _translate(model: Model, values: Value, fixed: str | None) -> Value:
    parsed = inputs.parse_text(values, "text", "target_lang")
    translated = fixed or text.translate(parsed["text"], parsed["target_lang"])
    used, written = count_tokens(parsed["text"]), count_tokens(translated)
    usage = {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written}
    return {"translated_text": translated, "usage": usage}


def _summarize(model: Model, values: Value, fixed: str | None) -> Value:
    parsed = inputs.parse_text(values, "input_text")
    limit = parsed.get("max_length", DEFAULT_SUMMARY_TOKENS)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise bad_input("Type mismatch of '/max_length', 'integer' not met")
    return {"summary": fixed or text.summarize(parsed["input_text"], int(limit))}


TASKS: dict[Api, Callable[[Model, Any, str | None], Value]] = {
    Api.EMBEDDINGS: _embed,
    Api.RERANK: _rerank,
    Api.SENTIMENT: _classify,
    Api.TRANSLATION: _translate,
    Api.SUMMARIZATION: _summarize,
}


def _three(args: list[Value]) -> tuple[Value, Value, Value]:
    model, values, options, *_ = [*args, None, None, None]
    return model, values, options


def _find_model(name: Value) -> Model:
    model = BY_NAME.get(name) if isinstance(name, str) else None
    if model is None:
        raise no_such_model(str(name))
    return model


def _check_options(options: Value) -> None:
    """Refuse the options that change what a call returns; the others do not matter here."""
    if options is None:
        return
    if not isinstance(options, dict):
        raise WorkerError(
            f"AI.run options must be an object, and are {options!r}", name="TypeError"
        )
    for name in ("returnRawResponse", "websocket", "queueRequest"):
        if options.get(name):
            raise not_emulated(f"the AI.run option {name}", "Leave it out to run locally.")
