"""The stub: answers a call when nothing else does, in the shape of each model's API. Pure.

`respond` finds the function for the model's API. Each takes the checked inputs and the answer of a
rule, or None, and returns a JSON value, a file or a stream of events.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from bindings.ai import embeddings, generation, inputs, moondream, speech, text, vision
from bindings.ai.binary import to_bytes
from bindings.ai.catalogue import JSON, Api, Model
from bindings.ai.classify import classify_sentiment, guard, rerank, similarity
from bindings.ai.errors import bad_input, not_emulated
from bindings.ai.language import count_tokens
from bindings.ai.pictures import draw
from bindings.ai.replies import Events, Media
from bindings.multipart import NotAForm, read_form

DEFAULT_SUMMARY_TOKENS = 1024
DEFAULT_SIDE = 1024
LUCID_SIDE = 1120


def respond(model: Model, values: Any, fixed: Any, now_ms: int, words_per_event: int = 1) -> Any:
    """Return a model's answer; `fixed` is the answer of a rule, None without one.

    For a text generation model, `fixed` is what the model says. For other models, a JSON value is
    the whole result, and a text is the text in the result. Raises WorkerError.
    """
    if model.api in (Api.GENERATION, Api.CHAT, Api.RESPONSES):
        return _generate(model, values, fixed, now_ms, words_per_event)
    if fixed is not None and not isinstance(fixed, str):
        return fixed
    if model.api == Api.WEBSOCKET:
        raise not_emulated(
            f"{model.name}, which is used by WebSocket",
            "An [[ai.rules]] entry with json in groundfog.toml can answer for it.",
        )
    return TASKS[model.api](model, values, fixed)


def _generate(model: Model, values: Any, fixed: Any, now_ms: int, words_per_event: int) -> Any:
    request = inputs.parse_generation(model, values)
    said = (
        generation.compose(model, request)
        if fixed is None
        else generation.from_rule(fixed, request)
    )
    if request.is_stream:
        return Events(generation.stream(model, request, said, now_ms, words_per_event))
    return generation.answer(model, request, said, now_ms)


def _guard(model: Model, values: Any, fixed: str | None) -> Any:
    request = inputs.parse_generation(model, values)
    categories = guard(request.prompt.everything)
    response: Any = "\n".join(["unsafe", ",".join(categories)]) if categories else "safe"
    if fixed is not None:
        response = fixed
    elif request.is_json:
        response = {"safe": not categories, **({"categories": categories} if categories else {})}
    used = count_tokens(request.prompt.everything)
    return {"response": response, "usage": _usage(used, 2 + 2 * len(categories))}


def _usage(used: int, written: int) -> dict[str, int]:
    return {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written}


def _embed(model: Model, values: Any, fixed: str | None) -> Any:
    request = inputs.parse_embeddings(model, values)
    if request.query is not None:
        return {"response": rerank(request.query, request.texts, None)}
    salt = f"{model.name}\0{request.pooling}"
    data = [embeddings.embed(item, model.dimensions, salt) for item in request.texts]
    shape = [len(data), model.dimensions]
    pooling = {"pooling": request.pooling} if request.pooling else {}
    if request.is_contexts:
        return {"response": data, "shape": shape, **pooling}
    return {"shape": shape, "data": data, **pooling}


def _rerank(model: Model, values: Any, fixed: str | None) -> Any:
    return {"response": rerank(*inputs.parse_rerank(values))}


def _similarity(model: Model, values: Any, fixed: str | None) -> Any:
    return similarity(values["source"], values["sentences"])


def _classify(model: Model, values: Any, fixed: str | None) -> Any:
    return classify_sentiment(values["text"])


def _translate(model: Model, values: Any, fixed: str | None) -> Any:
    translated = fixed or text.translate(values["text"], values["target_lang"])
    usage = _usage(count_tokens(values["text"]), count_tokens(translated))
    return {"translated_text": translated, "usage": usage}


def _translate_indic(model: Model, values: Any, fixed: str | None) -> Any:
    texts = [values["text"]] if isinstance(values["text"], str) else values["text"]
    target = values["target_language"]
    return {"translations": [fixed or text.translate(item, target) for item in texts]}


def _summarize(model: Model, values: Any, fixed: str | None) -> Any:
    limit = values.get("max_length")
    most = DEFAULT_SUMMARY_TOKENS if limit is None else int(limit)
    return {"summary": fixed or text.summarize(values["input_text"], most)}


def _draw(model: Model, values: Any, fixed: str | None) -> Any:
    side = LUCID_SIDE if model.api == Api.LEONARDO and model.media == JSON else DEFAULT_SIDE
    if model.api == Api.FLUX_2:
        values = _fields(values["multipart"])
        inputs.check_prompt(values)
    width, height = int(values.get("width") or side), int(values.get("height") or side)
    media = "image/jpeg" if model.media == JSON else model.media
    seed = int(values.get("seed") or 0)
    picture = draw(fixed or values["prompt"], seed, width, height, media)
    if model.api in (Api.FLUX, Api.FLUX_2) or model.media == JSON:
        return {"image": base64.b64encode(picture).decode()}
    return Media(picture, media)


def _fields(upload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form that are not files."""
    try:
        parts = read_form(to_bytes(upload["body"], "multipart"), upload["contentType"])
    except NotAForm as error:
        raise bad_input(f"multipart: {error}") from None
    return {part.name: _number(part.text) for part in parts if part.filename is None}


def _number(value: str) -> Any:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else value


def _describe(model: Model, values: Any, fixed: str | None) -> Any:
    said = vision.describe(values) if fixed is None else fixed
    limit = values.get("max_tokens") if isinstance(values, Mapping) else None
    return {"description": said if limit is None else text.limit_tokens(said, int(limit))[0]}


TASKS: dict[Api, Callable[[Model, Any, str | None], Any]] = {
    Api.GUARD: _guard,
    Api.EMBEDDINGS: _embed,
    Api.M3: _embed,
    Api.QWEN_EMBEDDINGS: _embed,
    Api.RERANK: _rerank,
    Api.SIMILARITY: _similarity,
    Api.SENTIMENT: _classify,
    Api.TRANSLATION: _translate,
    Api.INDIC_TRANSLATION: _translate_indic,
    Api.SUMMARIZATION: _summarize,
    Api.IMAGE_CLASSIFICATION: lambda model, values, fixed: vision.classify(values),
    Api.OBJECT_DETECTION: lambda model, values, fixed: vision.detect(values),
    Api.IMAGE_TO_TEXT: _describe,
    Api.MOONDREAM: lambda model, values, fixed: moondream.look(values, fixed),
    Api.DIFFUSION: _draw,
    Api.FLUX: _draw,
    Api.FLUX_2: _draw,
    Api.LEONARDO: _draw,
    Api.WHISPER: lambda model, values, fixed: speech.whisper(values, fixed),
    Api.WHISPER_TURBO: lambda model, values, fixed: speech.whisper_turbo(values, fixed),
    Api.NOVA: lambda model, values, fixed: speech.nova(values, fixed),
    Api.TURN: lambda model, values, fixed: speech.turn(values, fixed),
    Api.MELOTTS: lambda model, values, fixed: speech.speak(model, values),
    Api.AURA: lambda model, values, fixed: speech.speak(model, values),
}
