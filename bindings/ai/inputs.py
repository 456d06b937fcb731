"""The inputs of a call: checked as production checks them, and prepared for the stubs.

Pure. Raises WorkerError: 5006 when an input violates the model's schema, 1001 for inputs that
exclude one another, 5005 for a fine-tune of a model that does not support fine-tunes.
Source: https://developers.cloudflare.com/workers-ai/models/ (each model's JSON schema).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bindings.ai.catalogue import Api, Model
from bindings.ai.errors import bad_input, invalid_input, no_lora
from bindings.ai.prompts import Prompt, from_messages, from_text, prompt_of
from bindings.ai.schemas import SCHEMAS
from bindings.ai.validation import SchemaMismatch, check, types_of

DEFAULT_MAX_TOKENS = 256
GENERATING = (Api.GENERATION, Api.GUARD, Api.CHAT, Api.RESPONSES)


def check_inputs(model: Model, inputs: Any) -> None:
    """Raise WorkerError unless the inputs satisfy the schema of the model."""
    if isinstance(inputs, Mapping):
        has_both = inputs.get("prompt") is not None and inputs.get("messages") is not None
        if model.api in GENERATING and has_both:
            raise invalid_input("prompt and messages are mutually exclusive")
        if inputs.get("lora") is not None and not model.has_lora:
            raise no_lora(model.name)
    elif model.api in GENERATING:
        raise bad_input(f"Type mismatch of '/', 'object' not in {types_of(inputs)}")
    try:
        check(inputs, SCHEMAS.get(model.api, {}))
    except SchemaMismatch as mismatch:
        raise bad_input(str(mismatch)) from None
    if model.api == Api.QWEN_EMBEDDINGS and not any(
        inputs.get(name) is not None for name in ("queries", "documents", "text")
    ):
        raise bad_input("required properties at '/' are 'text'")


def check_prompt(values: Mapping[str, Any]) -> None:
    """Check the fields of a picture that were sent as a form."""
    try:
        check(values, SCHEMAS[Api.LEONARDO])
    except SchemaMismatch as mismatch:
        raise bad_input(str(mismatch)) from None


class GenerationRequest(Struct, frozen=True):
    """A text generation call. `schema` is None unless JSON mode was asked for."""

    prompt: Prompt
    max_tokens: int | None
    is_stream: bool
    is_json: bool
    schema: Any
    tools: tuple[Mapping[str, Any], ...]
    tool_choice: Any
    has_usage: bool = True  # whether a stream of a chat model ends with the usage


def parse_generation(model: Model, values: Mapping[str, Any]) -> GenerationRequest:
    """Return the request to a text generation model; the inputs have been checked."""
    prompt = _prompt(model, values)
    is_stream = bool(values.get("stream"))
    response_format = values.get("response_format")
    if model.api == Api.RESPONSES and isinstance(values.get("text"), Mapping):
        response_format = values["text"].get("format")
    is_json, schema = _json_mode(response_format)
    if is_json and is_stream and model.api == Api.GENERATION:
        raise bad_input("response_format cannot be combined with stream")
    options = values.get("stream_options")
    return GenerationRequest(
        prompt=prompt,
        max_tokens=_max_tokens(model, values),
        is_stream=is_stream,
        is_json=is_json,
        schema=schema,
        tools=tuple(_tools(values.get("tools") or [])),
        tool_choice=values.get("tool_choice"),
        has_usage=not isinstance(options, Mapping) or options.get("include_usage") is not False,
    )


def _tools(tools: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the functions among the tools, each with `name` and `parameters`."""
    inner = (tool.get("function", tool) for tool in tools)
    return [tool for tool in inner if isinstance(tool, Mapping) and tool.get("name")]


class EmbeddingRequest(Struct, frozen=True):
    """An embedding call: `texts` to embed, or contexts to rank by likeness to `query`."""

    texts: list[str]
    pooling: str
    query: str | None = None
    is_contexts: bool = False  # then the answer is under `response`, not `data`


def parse_embeddings(model: Model, values: Mapping[str, Any]) -> EmbeddingRequest:
    """Return the texts of an embedding call: `text`, bge-m3's contexts, qwen3's documents."""
    pooling = values.get("pooling") or model.pooling
    if values.get("contexts") is not None and values.get("text") is None:
        return EmbeddingRequest(_contexts(values), pooling, values.get("query"), True)
    texts: list[str] = []
    for name in ("text", "queries", "documents"):
        value = values.get(name)
        texts += [value] if isinstance(value, str) else value or []
    return EmbeddingRequest(texts, pooling)


def parse_rerank(values: Mapping[str, Any]) -> tuple[str, list[str], int | None]:
    """Return the query, the texts and how many results are wanted (None: all)."""
    top_k = values.get("top_k")
    return values["query"], _contexts(values), None if top_k is None else int(top_k)


def prompt_text(inputs: Any) -> str:
    """Return all text in the inputs, for rules; raises nothing."""
    if not isinstance(inputs, Mapping):
        return ""
    if isinstance(inputs.get("messages"), list):
        messages = [m for m in inputs["messages"] if isinstance(m, Mapping)]
        return from_messages(messages).everything
    if isinstance(inputs.get("input"), list):
        items = [m for m in inputs["input"] if isinstance(m, Mapping)]
        return from_messages(items, str(inputs.get("instructions") or "")).everything
    parts: list[str] = []
    for name in ("instructions", "input", "prompt", "query", "text", "queries", "documents"):
        value = inputs.get(name)
        parts.extend(item for item in (value if isinstance(value, list) else [value]) if item)
    parts.append(str(inputs.get("input_text") or ""))
    contexts = inputs.get("contexts")
    if isinstance(contexts, list):
        parts.extend(str(c.get("text", "")) for c in contexts if isinstance(c, Mapping))
    return "\n".join(part for part in parts if isinstance(part, str) and part)


def _prompt(model: Model, values: Mapping[str, Any]) -> Prompt:
    if values.get("input") is not None:
        instructions = str(values.get("instructions") or "")
        if isinstance(values["input"], str):
            text = values["input"]
            return prompt_of(text, instructions, f"{instructions}\n{text}".strip())
        return from_messages(_messages(values, "input"), instructions)
    if values.get("prompt") is not None:
        return from_text(values["prompt"])
    return from_messages(_messages(values, "messages"))


def _messages(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    messages: list[Mapping[str, Any]] = values[name]
    if not messages:
        raise bad_input(f"'/{name}' must have at least 1 item")
    for position, message in enumerate(messages):
        content = message.get("content")
        is_call = "tool_calls" in message or message.get("type", "message") != "message"
        if not isinstance(content, str | list) and not is_call:
            raise bad_input(f"required properties at '/{name}/{position}' are 'role,content'")
    return messages


def _json_mode(response_format: Any) -> tuple[bool, Any]:
    """Return whether JSON mode is on, and its schema (None: any object)."""
    if not isinstance(response_format, Mapping):
        return False, None
    match response_format.get("type"):
        case "json_object":
            return True, response_format.get("json_schema")
        case "json_schema":
            schema = response_format.get("json_schema", response_format.get("schema"))
            if schema is None:
                raise bad_input("required properties at '/response_format' are 'json_schema'")
            # OpenAI wraps the schema: {"name": …, "schema": {…}}.
            is_wrapped = isinstance(schema, Mapping) and isinstance(schema.get("schema"), Mapping)
            return True, schema["schema"] if is_wrapped and "type" not in schema else schema
        case _:
            return False, None


def _max_tokens(model: Model, values: Mapping[str, Any]) -> int | None:
    """Return the limit in the inputs, or the default; chat models have no default."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if values.get(name) is not None:
            return int(values[name])
    return DEFAULT_MAX_TOKENS if model.api == Api.GENERATION else None


def _contexts(values: Mapping[str, Any]) -> list[str]:
    return [context["text"] for context in values["contexts"]]
