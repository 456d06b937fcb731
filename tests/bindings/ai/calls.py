"""How the tests of this folder call the binding."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bindings.ai.ai import Ai, Settings
from bindings.ai.settings import Rule
from bindings.binding import ByteStream
from emulator.clock import VirtualClock

LLAMA = "@cf/meta/llama-3.1-8b-instruct"
GLM = "@cf/zai-org/glm-4.7-flash"
GPT_OSS = "@cf/openai/gpt-oss-20b"
BGE = "@cf/baai/bge-base-en-v1.5"


def new_ai(*rules: Rule, strict: bool = False) -> Ai:
    return Ai(rules, Settings(strict=strict), clock=VirtualClock())


def run(model: str, inputs: Any, options: Any = None, *, ai: Ai | None = None) -> Any:
    """Return the answer of one call; a stream is read to its end, events as text."""
    return asyncio.run(_run(ai or new_ai(), model, inputs, options))


async def _run(ai: Ai, model: str, inputs: Any, options: Any) -> Any:
    result = await ai.call("run", [model, inputs, options])
    if isinstance(result, ByteStream):
        content = b"".join([chunk async for chunk in result.chunks])
        return content.decode() if result.content_type == "text/event-stream" else content
    return result


def ask_json(schema: Any, prompt: str = "Hello there", system: str | None = None) -> Any:
    """Return what JSON mode answers to a prompt."""
    messages = [{"role": "user", "content": prompt}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    form = {"type": "json_schema", "json_schema": schema}
    return run(LLAMA, {"messages": messages, "response_format": form})["response"]


def events(text: str) -> list[Any]:
    """Return the JSON of each server-sent event, without the closing `[DONE]`."""
    data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]
