"""What a call would have cost at Cloudflare: tokens and neurons, estimated. Pure.

The tokens are those that the answer reports, or else a rough count. Prices are Cloudflare's list
prices. A model that is not on the list costs what models of its task usually cost.
Source: https://developers.cloudflare.com/workers-ai/platform/pricing/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bindings.ai.catalogue import Model, Task
from bindings.ai.language import count_tokens

USD_PER_NEURON = 0.011 / 1000
SPEECH_BYTES_PER_MINUTE = 16_000 * 60

# Neurons for a million tokens: of input, of output.
_TOKENS: dict[str, tuple[int, int]] = {
    "@cf/meta/llama-3.2-1b-instruct": (2_457, 18_252),
    "@cf/meta/llama-3.2-3b-instruct": (4_625, 30_475),
    "@cf/meta/llama-3.2-11b-vision-instruct": (4_410, 61_493),
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast": (26_668, 204_805),
    "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b": (45_170, 443_756),
    "@cf/mistral/mistral-7b-instruct-v0.1": (10_000, 17_300),
    "@cf/meta/llama-3.1-8b-instruct": (25_608, 75_147),
    "@cf/meta/llama-3.1-8b-instruct-fast": (4_119, 34_868),
    "@cf/meta/llama-3.1-8b-instruct-fp8": (13_778, 26_128),
    "@cf/meta/llama-3.1-8b-instruct-awq": (11_161, 24_215),
    "@cf/meta/llama-3-8b-instruct": (25_608, 75_147),
    "@cf/meta/llama-3-8b-instruct-awq": (11_161, 24_215),
    "@cf/huggingface/distilbert-sst-2-int8": (2_394, 0),
    "@cf/baai/bge-small-en-v1.5": (1_841, 0),
    "@cf/baai/bge-base-en-v1.5": (6_058, 0),
    "@cf/baai/bge-large-en-v1.5": (18_582, 0),
    "@cf/baai/bge-m3": (1_073, 0),
    "@cf/qwen/qwen3-embedding-0.6b": (1_091, 0),
    "@cf/meta/m2m100-1.2b": (31_050, 31_050),
    "@cf/ai4bharat/indictrans2-en-indic-1B": (31_050, 31_050),
}
_TOKENS_BY_TASK: dict[Task, tuple[int, int]] = {
    Task.TEXT_GENERATION: (25_608, 75_147),
    Task.TEXT_EMBEDDINGS: (6_058, 0),
    Task.TEXT_CLASSIFICATION: (2_394, 0),
    Task.TRANSLATION: (31_050, 31_050),
    Task.SUMMARIZATION: (6_058, 6_058),
}
# Neurons for a picture as input, for a picture as output, for a minute of sound.
LOOKED_AT, TILE, STEP, MINUTE = 0.23, 4.8, 9.6, 41.14
DEFAULT_STEPS, DEFAULT_SIDE, TILE_SIDE = 4, 1024, 512


class Cost(Struct, frozen=True):
    """What a call used; `usd` is the list price of its neurons."""

    tokens_in: int = 0
    tokens_out: int = 0
    neurons: float = 0.0

    @property
    def usd(self) -> float:
        return self.neurons * USD_PER_NEURON


def estimate(model: Model, prompt: str, inputs: Any, answer: Any) -> Cost:
    """Return what a call cost; `answer` is its result, text of a stream, or None for an error."""
    match model.task:
        case Task.TEXT_TO_IMAGE:
            return Cost(count_tokens(prompt), 0, round(_picture(inputs), 4))
        case Task.IMAGE_CLASSIFICATION | Task.OBJECT_DETECTION | Task.IMAGE_TO_TEXT:
            return Cost(0, 0, LOOKED_AT)
        case Task.SPEECH_RECOGNITION | Task.VOICE_ACTIVITY | Task.TEXT_TO_SPEECH:
            minutes = max(0.01, _sound_bytes(inputs) / SPEECH_BYTES_PER_MINUTE)
            return Cost(count_tokens(prompt), 0, round(minutes * MINUTE, 4))
        case _:
            read, written = _reported(answer) or (count_tokens(prompt), _written(answer))
            into, out = _TOKENS.get(model.name) or _TOKENS_BY_TASK[model.task]
            return Cost(read, written, round((read * into + written * out) / 1_000_000, 4))


def _reported(answer: Any) -> tuple[int, int] | None:
    usage = answer.get("usage") if isinstance(answer, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens", 0))
    if not isinstance(read, int | float) or not isinstance(written, int | float):
        return None
    return int(read), int(written)


def _written(answer: Any) -> int:
    if isinstance(answer, Mapping):
        answer = answer.get("response") or answer.get("summary") or answer.get("translated_text")
    return count_tokens(answer) if isinstance(answer, str) else 0


def _picture(inputs: Any) -> float:
    values = inputs if isinstance(inputs, Mapping) else {}
    tiles = 1
    for name in ("width", "height"):
        side = values.get(name)
        tiles *= -(-int(side if isinstance(side, int | float) else DEFAULT_SIDE) // TILE_SIDE)
    steps = values.get("steps", values.get("num_steps"))
    return tiles * TILE + STEP * (steps if isinstance(steps, int | float) else DEFAULT_STEPS)


def _sound_bytes(inputs: Any) -> int:
    audio = inputs.get("audio") if isinstance(inputs, Mapping) else inputs
    if isinstance(audio, Mapping):
        audio = audio.get("body")
    return len(audio) if isinstance(audio, bytes | list | str) else 0
