"""The inputs of a call, checked as production checks them and turned into what the stubs need.

Pure. Raises WorkerError: 5006 for what violates the model's schema, 1001 for inputs that exclude
one another.
Source: developers.cloudflare.com/workers-ai/models (each model's JSON schema); the wording is
that of Cloudflare's validator, github.com/cloudflare/cabidela src/index.ts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bindings.ai.catalogue import Api, Model
from bindings.ai.errors import bad_input, invalid_input
from bindings.ai.prompts import Prompt, from_messages, from_text

DEFAULT_MAX_TOKENS = 256

# Source: the Text Generation schema. Name: lowest, highest.
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 5),
    "top_p": (0.001, 1),
    "top_k": (1, 50),
    "seed": (1, 9_999_999_999),
    "repetition_penalty": (0, 2),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
# OpenAI's own ranges, which the chat and responses models take.
CHAT_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A text generation call. `schema` is None unless JSON mode was asked for."""

    prompt: Prompt
    max_tokens: int | None
    is_stream: bool
    is_json: bool
    schema: Any
    tools: tuple[Mapping[str, Any], ...]
    tool_choice: Any


def parse_generation(model: Model, inputs: Any) -> GenerationRequest:
    """Return what a text generation model was asked."""
    values = _object(inputs)
    prompt = _prompt(model, values)
    for name, (low, high) in (RANGES if model.api == Api.GENERATION else CHAT_RANGES).items():
        _number(values, name, low, high)
    is_stream = _boolean(values, "stream")
    response_format = values.get("response_format")
    if model.api == Api.RESPONSES and isinstance(values.get("text"), Mapping):
        response_format = values["text"].get("format")
    is_json, schema = _json_mode(response_format)
    if is_json and is_stream:
        raise bad_input("response_format cannot be combined with stream")
    tools = values.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise bad_input(f"Type mismatch of '/tools', 'array' not in '{_type(tools)}'")
    return GenerationRequest(
        prompt=prompt,
        max_tokens=_max_tokens(model, values),
        is_stream=is_stream,
        is_json=is_json,
        schema=schema,
        tools=tuple(tool.get("function", tool) for tool in tools),
        tool_choice=values.get("tool_choice"),
    )


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """An embedding call: `texts` to embed, or contexts to rank by likeness to `query`."""

    texts: list[str]
    pooling: str
    query: str | None = None


def parse_embeddings(model: Model, inputs: Any) -> EmbeddingRequest:
    """Return the texts of an embedding call: `text`, bge-m3's contexts, qwen3's documents."""
    values = _object(inputs)
    pooling = values.get("pooling", model.pooling)
    if pooling not in ("", "mean", "cls"):
        raise bad_input(f"enum {pooling} not in mean,cls at '/pooling'")
    if "contexts" in values and "text" not in values:
        query = _string(values, "query") if values.get("query") is not None else None
        return EmbeddingRequest(_contexts(values), pooling, query)
    for name in ("text", "queries", "documents"):
        if name in values:
            return EmbeddingRequest(_texts(values, name, model.max_texts), pooling)
    raise bad_input("required properties at '/' are 'text'")


def parse_rerank(inputs: Any) -> tuple[str, list[str], int | None]:
    """Return the query, the texts and how many results are wanted (None: all)."""
    values = _object(inputs)
    if "query" not in values or "contexts" not in values:
        raise bad_input("required properties at '/' are 'query,contexts'")
    _number(values, "top_k", 1, float("inf"))
    top_k = values.get("top_k")
    return _string(values, "query"), _contexts(values), None if top_k is None else int(top_k)


def parse_text(inputs: Any, name: str, *more: str) -> dict[str, Any]:
    """Return the inputs of a task that needs the string `name` and the strings `more`."""
    values = _object(inputs)
    required = (name, *more)
    if any(key not in values for key in required):
        raise bad_input(f"required properties at '/' are '{','.join(required)}'")
    for key in required:
        _string(values, key)
    return dict(values)


def prompt_text(inputs: Any) -> str:
    """Return all the text there is in the inputs, for rules; raises nothing."""
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
    has_messages = values.get("messages") is not None
    if model.api == Api.RESPONSES and "input" in values:
        instructions = str(values.get("instructions") or "")
        if isinstance(values["input"], str):
            text = _string(values, "input")
            return Prompt(text, instructions, f"{instructions}\n{text}".strip())
        return from_messages(_messages(values, "input"), instructions)
    if "prompt" in values and has_messages:
        raise invalid_input("prompt and messages are mutually exclusive")
    if "prompt" in values:
        return from_text(_string(values, "prompt"))
    if has_messages:
        return from_messages(_messages(values, "messages"))
    if model.api == Api.RESPONSES:
        raise bad_input("required properties at '/' are 'input'")
    raise bad_input(
        "oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', "
        "required properties at '/' are 'messages'"
    )


def _messages(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    messages = values[name]
    if not isinstance(messages, list):
        raise bad_input(f"Type mismatch of '/{name}', 'array' not in '{_type(messages)}'")
    if not messages:
        raise bad_input(f"'/{name}' must have at least 1 item")
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise bad_input(
                f"Type mismatch of '/{name}/{position}', 'object' not in '{_type(message)}'"
            )
        content = message.get("content")
        is_call = "tool_calls" in message or message.get("type", "message") != "message"
        if not isinstance(content, str | list) and not is_call:
            raise bad_input(f"required properties at '/{name}/{position}' are 'role,content'")
    return messages


def _json_mode(response_format: Any) -> tuple[bool, Any]:
    """Return whether JSON mode is on, and its schema (None: any object)."""
    if response_format is None:
        return False, None
    if not isinstance(response_format, Mapping):
        raise bad_input(
            f"Type mismatch of '/response_format', 'object' not in '{_type(response_format)}'"
        )
    match response_format.get("type"):
        case "text":
            return False, None
        case "json_object":
            return True, response_format.get("json_schema")
        case "json_schema":
            schema = response_format.get("json_schema", response_format.get("schema"))
            if schema is None:
                raise bad_input("required properties at '/response_format' are 'json_schema'")
            # OpenAI wraps the schema: {"name": …, "schema": {…}}.
            is_wrapped = isinstance(schema, Mapping) and isinstance(schema.get("schema"), Mapping)
            return True, schema["schema"] if is_wrapped and "type" not in schema else schema
        case other:
            raise bad_input(
                f"enum {other} not in json_object,json_schema at '/response_format/type'"
            )


def _max_tokens(model: Model, values: Mapping[str, Any]) -> int | None:
    """Return the limit that was set, or the default; chat models have no default."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        _number(values, name, 1, float("inf"))
        if values.get(name) is not None:
            return int(values[name])
    return DEFAULT_MAX_TOKENS if model.api == Api.GENERATION else None


def _object(inputs: Any) -> Mapping[str, Any]:
    if not isinstance(inputs, Mapping):
        raise bad_input(f"Type mismatch of '/', 'object' not in '{_type(inputs)}'")
    return inputs


def _string(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str):
        raise bad_input(f"Type mismatch of '/{name}', 'string' not in '{_type(value)}'")
    if not value:
        raise bad_input(f"Length of '/{name}' must be >= 1 not met")
    return value


def _texts(values: Mapping[str, Any], name: str, limit: int) -> list[str]:
    value = values[name]
    if isinstance(value, str):
        return [_string(values, name)]
    if not isinstance(value, list):
        raise bad_input(f"Type mismatch of '/{name}', 'string','array' not in '{_type(value)}'")
    if not value or len(value) > limit:
        raise bad_input(f"'/{name}' must have 1 to {limit} items, got {len(value)}")
    for position, text in enumerate(value):
        if not isinstance(text, str):
            raise bad_input(
                f"Type mismatch of '/{name}/{position}', 'string' not in '{_type(text)}'"
            )
        if not text:
            raise bad_input(f"Length of '/{name}/{position}' must be >= 1 not met")
    return value


def _contexts(values: Mapping[str, Any]) -> list[str]:
    contexts = values["contexts"]
    if not isinstance(contexts, list) or not contexts:
        raise bad_input(f"Type mismatch of '/contexts', 'array' not in '{_type(contexts)}'")
    for position, context in enumerate(contexts):
        if not isinstance(context, Mapping) or not isinstance(context.get("text"), str):
            raise bad_input(f"required properties at '/contexts/{position}' are 'text'")
    return [context["text"] for context in contexts]


def _number(values: Mapping[str, Any], name: str, low: float, high: float) -> None:
    value = values.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_input(f"Type mismatch of '/{name}', 'number' not in '{_type(value)}'")
    if not value >= low:
        raise bad_input(f"'/{name}' must be >= {low}")
    if not value <= high:
        raise bad_input(f"'/{name}' must be <= {high}")


def _boolean(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise bad_input(f"Type mismatch of '/{name}', 'boolean' not in '{_type(value)}'")
    return value


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case bytes():
            return "binary"
        case list():
            return "array"
        case _:
            return "object"
