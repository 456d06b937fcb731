"""One text generation call: what the model says, and in which of three shapes.

Pure: values in, values or a list of server-sent events out.

Source: docs/platform/workers-ai.md, "Tasks", "Tools", "JSON mode" and "Streams".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bindings.ai import json_mode
from bindings.ai.catalogue import Api, Model
from bindings.ai.inputs import GenerationRequest
from bindings.ai.language import count_tokens, words
from bindings.ai.retrieval import fitting_tool
from bindings.ai.text import limit_tokens, write_answer

PADDING_CHARS = "abdefghijklmnopqrstuvwxyz0123456789"
STREAM_PIECE = re.compile(r"\s*\S+|\s+\Z")


class Said(Struct, frozen=True):
    """What the model says: a text, a JSON value in JSON mode, or calls of tools."""

    text: str = ""
    value: Any = None
    is_json: bool = False
    tool_calls: tuple[dict[str, Any], ...] = ()  # {name, arguments: object}
    is_cut: bool = False

    @property
    def written(self) -> str:
        return to_json(self.value) if self.is_json else self.text


def compose(model: Model, request: GenerationRequest) -> Said:
    """Return the stub's own answer. Raises WorkerError when JSON mode cannot be met."""
    if request.is_json:
        schema = request.schema if request.schema is not None else json_mode.FREE_FORM_SCHEMA
        return Said(value=json_mode.answer(schema, request.prompt), is_json=True)
    tool = _tool_to_call(request)
    if tool is not None:
        parameters = tool.get("parameters") or {"type": "object"}
        arguments = json_mode.answer(parameters, request.prompt)
        return Said(tool_calls=({"name": str(tool.get("name")), "arguments": arguments},))
    return _cut(Said(text=write_answer(model.name, request.prompt)), request)


def from_rule(value: Any, request: GenerationRequest) -> Said:
    """Return what the model says because of a rule: a text, or JSON.

    A table with `tool_calls` (and at most `response`) calls tools. Other JSON is the answer in
    JSON mode; outside JSON mode, the model writes it as text.
    """
    if isinstance(value, str):
        return _cut(Said(text=value), request)
    if (
        isinstance(value, Mapping)
        and "tool_calls" in value
        and value.keys()
        <= {
            "tool_calls",
            "response",
        }
    ):
        calls = tuple(dict(call) for call in value["tool_calls"])
        return Said(text=str(value.get("response") or ""), tool_calls=calls)
    if request.is_json:
        return Said(value=value, is_json=True)
    return _cut(Said(text=to_json(value)), request)


def _cut(said: Said, request: GenerationRequest) -> Said:
    if request.max_tokens is None:
        return said
    text, is_cut = limit_tokens(said.text, request.max_tokens)
    return Said(text=text, is_cut=is_cut)


def _tool_to_call(request: GenerationRequest) -> Mapping[str, Any] | None:
    """Return the tool that must be called, or else the one that fits what was asked."""
    choice = request.tool_choice
    if not request.tools or choice == "none":
        return None
    if isinstance(choice, Mapping):
        wanted = choice.get("function", choice).get("name")
        return next((tool for tool in request.tools if tool.get("name") == wanted), None)
    found = _named_tool(request) or fitting_tool(request.prompt, request.tools)
    return request.tools[0] if found is None and choice == "required" else found


def _named_tool(request: GenerationRequest) -> Mapping[str, Any] | None:
    """Return the first tool whose name is in what was asked, unless a tool has answered."""
    said = words(request.prompt.subject)
    known, spoken = set(said), f" {' '.join(said)} "
    for tool in request.tools if not request.prompt.results else ():
        name = words(str(tool.get("name")))
        if known.issuperset(name) and f" {' '.join(name)} " in spoken:
            return tool
    return None


def answer(model: Model, request: GenerationRequest, said: Said, now_ms: int) -> dict[str, Any]:
    """Return the answer in the model's own shape."""
    used = count_tokens(request.prompt.everything)
    written = count_tokens(said.written)
    match model.api:
        case Api.CHAT:
            return _chat(model, request, said, now_ms, _usage(used, written))
        case Api.RESPONSES:
            return _responses(model, request, said, now_ms, used, written)
        case _:
            response = said.value if said.is_json else said.text
            shown: dict[str, Any] = {"response": response, "usage": _usage(used, written)}
            if said.tool_calls:
                shown["response"] = said.text or None
                shown["tool_calls"] = [dict(call) for call in said.tool_calls]
            return shown


def stream(
    model: Model, request: GenerationRequest, said: Said, now_ms: int, words_per_event: int = 1
) -> list[bytes]:
    """Return the answer as server-sent events, in the model's own shape."""
    single = STREAM_PIECE.findall(said.written)
    pieces = [
        "".join(single[n : n + words_per_event]) for n in range(0, len(single), words_per_event)
    ]
    usage = _usage(count_tokens(request.prompt.everything), count_tokens(said.written))
    match model.api:
        case Api.CHAT:
            return _stream_chat(model, request, said, now_ms, pieces, usage)
        case Api.RESPONSES:
            return _stream_responses(answer(model, request, said, now_ms), said, pieces)
        case _:
            events: list[dict[str, Any]] = [
                {"response": piece, "p": _padding(piece)} for piece in pieces
            ]
            if said.tool_calls:
                events.append({"response": "", "tool_calls": list(said.tool_calls)})
            return [*map(_event, [*events, {"response": "", "usage": usage}]), _DONE]


_DONE = b"data: [DONE]\n\n"


def _event(value: Any) -> bytes:
    return f"data: {to_json(value)}\n\n".encode()


def _usage(used: int, written: int) -> dict[str, int]:
    return {
        "prompt_tokens": used,
        "completion_tokens": written,
        "total_tokens": used + written,
    }


def _chat(
    model: Model, request: GenerationRequest, said: Said, now_ms: int, usage: dict[str, int]
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.written, "refusal": None}
    if said.tool_calls:
        message["content"] = said.text or None
        message["tool_calls"] = _openai_calls(model, request, said)
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": _finish_reason(said),
        "logprobs": None,
    }
    return {
        "id": f"chatcmpl-{_digest(model, request)}",
        "object": "chat.completion",
        "created": now_ms // 1000,
        "model": model.name,
        "choices": [choice],
        "usage": usage,
    }


def _finish_reason(said: Said) -> str:
    return "tool_calls" if said.tool_calls else "length" if said.is_cut else "stop"


def _openai_calls(model: Model, request: GenerationRequest, said: Said) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{number}_{_digest(model, request)[:12]}",
            "type": "function",
            "function": {"name": call.get("name"), "arguments": to_json(call.get("arguments"))},
        }
        for number, call in enumerate(said.tool_calls)
    ]


def _stream_chat(
    model: Model,
    request: GenerationRequest,
    said: Said,
    now_ms: int,
    pieces: list[str],
    usage: dict[str, int],
) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces]
    if said.tool_calls:
        calls = _openai_calls(model, request, said)
        deltas.append({"tool_calls": [{"index": n, **call} for n, call in enumerate(calls)]})
    head = {
        "id": f"chatcmpl-{_digest(model, request)}",
        "object": "chat.completion.chunk",
        "created": now_ms // 1000,
        "model": model.name,
    }
    events: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": _finish_reason(said)}
    events.append({**head, "choices": [last]})
    if request.has_usage:
        events.append({**head, "choices": [], "usage": usage})
    return [*map(_event, events), _DONE]


def _responses(
    model: Model, request: GenerationRequest, said: Said, now_ms: int, used: int, written: int
) -> dict[str, Any]:
    digest = _digest(model, request)
    output: list[dict[str, Any]] = []
    if not said.tool_calls or said.text:
        part = {"type": "output_text", "text": said.written, "annotations": []}
        output.append(
            {
                "id": f"msg_{digest}",
                "type": "message",
                "role": "assistant",
                "status": "incomplete" if said.is_cut else "completed",
                "content": [part],
            }
        )
    for number, call in enumerate(said.tool_calls):
        output.append(
            {
                "id": f"fc_{number}_{digest}",
                "type": "function_call",
                "call_id": f"call_{number}_{digest[:12]}",
                "name": call.get("name"),
                "arguments": to_json(call.get("arguments")),
                "status": "completed",
            }
        )
    return {
        "id": f"resp_{digest}",
        "object": "response",
        "created_at": now_ms // 1000,
        "model": model.name,
        "output": output,
        "output_text": said.written,
        "status": "incomplete" if said.is_cut else "completed",
        "usage": {
            "input_tokens": used,
            "output_tokens": written,
            "total_tokens": used + written,
        },
    }


def _stream_responses(whole: dict[str, Any], said: Said, pieces: list[str]) -> list[bytes]:
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}
    ]
    for position, item in enumerate(whole["output"]):
        events.append(
            {"type": "response.output_item.added", "output_index": position, "item": item}
        )
        if item["type"] == "message":
            place = {"item_id": item["id"], "output_index": position, "content_index": 0}
            for piece in pieces:
                events.append({"type": "response.output_text.delta", **place, "delta": piece})
            events.append({"type": "response.output_text.done", **place, "text": said.written})
        events.append({"type": "response.output_item.done", "output_index": position, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [f"event: {event['type']}\n".encode() + _event(event) for event in events]


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _digest(model: Model, request: GenerationRequest) -> str:
    text = f"{model.name}\0{request.prompt.everything}"
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=12).hexdigest()


def _padding(piece: str) -> str:
    """Return filler that hides the length of the piece, like the service's random filler."""
    digest = hashlib.blake2b(piece.encode(errors="replace"), digest_size=32).digest()
    return "".join(
        PADDING_CHARS[byte % len(PADDING_CHARS)] for byte in digest[: 4 + digest[0] % 28]
    )
