"""Translates requests and answers between Workers AI and OpenAI. Pure, except for streams.

Source: https://platform.openai.com/docs/api-reference (chat completions, embeddings);
docs/platform/workers-ai.md, "Tasks" (the older models' own shapes).
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from bindings.ai.binary import to_bytes
from bindings.ai.catalogue import Api, Model
from bindings.ai.errors import json_mode_not_met, not_emulated
from bindings.ai.inputs import parse_embeddings
from emulator.errors import WorkerError
from emulator.words import counted

SAME_NAMES = (
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "stream",
    "tool_choice",
    "reasoning_effort",
)
DEFAULT_MAX_TOKENS = 256
LINE_MAX_BYTES = 1024 * 1024  # of a stream


def chat_request(theirs: str, model: Model, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a chat completion for a text generation call."""
    if model.api == Api.CHAT:
        return {**inputs, "model": theirs}
    request: dict[str, Any] = {"model": theirs, "messages": _messages(inputs)}
    request |= {name: inputs[name] for name in SAME_NAMES if inputs.get(name) is not None}
    request.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
    if request.get("stream"):
        request["stream_options"] = {"include_usage": True}
    if inputs.get("tools"):
        request["tools"] = [
            tool if "function" in tool else {"type": "function", "function": tool}
            for tool in inputs["tools"]
        ]
    form = inputs.get("response_format")
    if isinstance(form, Mapping):
        request["response_format"] = _response_format(form)
    return request


def _messages(inputs: Mapping[str, Any]) -> list[Any]:
    messages = inputs.get("messages")
    found = list(messages) if messages else [{"role": "user", "content": inputs.get("prompt", "")}]
    image = inputs.get("image")
    if image is None:
        return found
    picture = base64.b64encode(to_bytes(image, "image")).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    last = found[-1]
    content = last.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    return [*found[:-1], {**last, "content": [*parts, part]}]


def _response_format(form: Mapping[str, Any]) -> Any:
    schema = form.get("json_schema")
    if form.get("type") != "json_schema" or not isinstance(schema, Mapping) or "schema" in schema:
        return form
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def chat_answer(
    upstream: str, model: Model, inputs: Mapping[str, Any], found: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a chat completion in the model's own shape. Raises WorkerError if it is malformed."""
    try:
        message = found["choices"][0]["message"]
        text, calls = message.get("content"), message.get("tool_calls") or []
        usage = found.get("usage") or {}
        if model.api == Api.CHAT:
            return {**found, "model": model.name}
        form = inputs.get("response_format")
        is_json = isinstance(form, Mapping) and form.get("type") in ("json_object", "json_schema")
        answer: dict[str, Any] = {"response": _parsed(text) if is_json and not calls else text}
        if calls:
            answer["tool_calls"] = [_legacy_call(call["function"]) for call in calls]
        return {**answer, "usage": dict(usage)}
    except (AttributeError, IndexError, KeyError, TypeError):
        raise _rubbish(upstream, "a chat completion", found) from None


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        raise json_mode_not_met() from None


def _legacy_call(function: Mapping[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            pass  # a model may write broken JSON; then the text is the answer
    return {"name": function["name"], "arguments": arguments}


async def legacy_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield chat completion chunks as the events of the older models: `{"response": …}`."""
    usage: Any = None
    calls: dict[int, dict[str, str]] = {}
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_MAX_BYTES:
            raise WorkerError(
                f"an upstream of env.AI sent a line of more than {LINE_MAX_BYTES:,} bytes",
                name="UpstreamError",
            )
        for line in lines:
            event = _event_data(line)
            if event is None:
                continue
            usage = event.get("usage") or usage
            for choice in event.get("choices") or []:
                delta = choice.get("delta") or {}
                for call in delta.get("tool_calls") or []:
                    _add_call(calls, call)
                if delta.get("content"):
                    yield _event({"response": delta["content"], "p": ""})
    if calls:
        made = [_legacy_call(calls[index]) for index in sorted(calls)]
        yield _event({"response": "", "tool_calls": made})
    yield _event({"response": "", "usage": usage or {}})
    yield b"data: [DONE]\n\n"


def _add_call(calls: dict[int, dict[str, str]], part: Mapping[str, Any]) -> None:
    """Add a piece of a tool call: the first names the function, the rest are its arguments."""
    function = part.get("function") or {}
    call = calls.setdefault(int(part.get("index") or 0), {"name": "", "arguments": ""})
    for key in call:
        call[key] += str(function.get(key) or "")


def _event_data(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"data:"):
        return None
    try:
        value = json.loads(line[5:])
    except ValueError:  # [DONE], or not an event
        return None
    return value if isinstance(value, dict) else None


def _event(value: Any) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def embedding_request(theirs: str, model: Model, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an embedding call."""
    request = parse_embeddings(model, inputs)
    if request.query is not None:
        raise not_emulated("reranking by an upstream that speaks OpenAI's API", "Add a rule.")
    return {"model": theirs, "input": request.texts, "encoding_format": "float"}


def embedding_answer(
    upstream: str, theirs: str, model: Model, inputs: Mapping[str, Any], found: Mapping[str, Any]
) -> dict[str, Any]:
    """Return embeddings in Cloudflare's shape. Raises WorkerError when their length differs."""
    request = parse_embeddings(model, inputs)
    try:
        items = sorted(found["data"], key=lambda item: item["index"])
        data = [[float(number) for number in item["embedding"]] for item in items]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _rubbish(upstream, "embeddings", found) from None
    if len(data) != len(request.texts):
        raise _rubbish(upstream, counted(len(request.texts), "embedding"), found)
    wrong = next((len(vector) for vector in data if len(vector) != model.dimensions), None)
    if wrong is not None:
        raise WorkerError(
            f"The upstream {upstream} of env.AI made vectors of {wrong} numbers with {theirs}; "
            f"{model.name} makes {model.dimensions}. Map it to a model of that size.",
            name="UpstreamError",
        )
    shape = [len(data), model.dimensions]
    pooling = {"pooling": request.pooling} if request.pooling else {}
    if request.is_contexts:
        return {"response": data, "shape": shape, **pooling}
    return {"shape": shape, "data": data, **pooling}


def _rubbish(upstream: str, expected: str, found: Any) -> WorkerError:
    shown = json.dumps(found, ensure_ascii=False, default=repr)[:80]
    return WorkerError(
        f"The upstream {upstream} of env.AI did not answer with {expected}, but with: {shown}",
        name="UpstreamError",
    )
