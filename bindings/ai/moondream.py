"""Moondream, which is asked about a picture in four ways: its inputs, and the stub's answers. Pure.

Nothing is recognised: what is said and where things are follows from the picture's bytes, or from
its address, which nobody visits. Coordinates are parts of the width and the height, 0 to 1.
Source: docs/platform/workers-ai.md, "Tasks".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from bindings.ai.binary import to_bytes
from bindings.ai.errors import bad_input, not_emulated
from bindings.ai.language import count_tokens
from bindings.ai.vision import describe

QUERY, CAPTION, POINT, DETECT = "query", "caption", "point", "detect"
QUESTION, TARGET = "What's in this image?", "person"
MOST_FOUND = 2
INPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "enum": [QUERY, CAPTION, POINT, DETECT]},
        "image": {"type": "string"},
        "question": {"type": "string"},
        "caption_length": {"type": "string", "enum": ["short", "normal", "long"]},
        "target": {"type": "string"},
        "reasoning": {"type": "boolean"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "top_p": {"type": "number", "minimum": 0, "maximum": 1},
        "max_tokens": {"type": "integer", "minimum": 1, "maximum": 2048},
        "max_objects": {"type": "integer", "minimum": 1, "maximum": 500},
        "stream": {"type": "boolean"},
    },
}


def look(values: Mapping[str, Any], fixed: str | None) -> dict[str, Any]:
    """Return what `query`, `caption`, `point` or `detect` gives; `fixed` is what a rule says.

    `{"finish_reason", "metrics", "answer", "caption", "points", "objects", "reasoning"}`: what
    belongs to another task is None. Raises WorkerError.
    """
    task = values.get("task", QUERY)
    if values.get("stream"):
        raise not_emulated("streams of this model", "Leave `stream` out to run locally.")
    content = _picture(values.get("image"), task)
    said = _said(content) if fixed is None else fixed
    question = values.get("question", QUESTION)
    target = values.get("target", TARGET)
    most = int(values.get("max_objects", MOST_FOUND))
    found = _boxes(target, hashlib.blake2b(content).digest())[:most]
    reasons = task == QUERY and values.get("reasoning", True)
    return {
        "finish_reason": "stop",
        "metrics": _metrics(question if task == QUERY else target, said),
        "answer": said if task == QUERY else None,
        "caption": said if task == CAPTION else None,
        "points": [_middle(box) for box in found] if task == POINT else None,
        "objects": found if task == DETECT else None,
        "reasoning": {"text": f"The question is: {question}", "grounding": []} if reasons else None,
    }


def _picture(image: str | None, task: str) -> bytes:
    if image is None:
        if task != QUERY:
            raise bad_input(f"image is required for the task {task}")
        return b""
    return image.encode() if image.startswith("https://") else to_bytes(image, "image")


def _said(content: bytes) -> str:
    return describe({"image": content}) if content else "There is no picture."


def _boxes(target: str, picture: bytes) -> list[dict[str, float]]:
    boxes = []
    for place in range(MOST_FOUND):
        seed = f"{place}{target}".encode() + picture
        left, top, right, bottom = hashlib.blake2b(seed, digest_size=4).digest()
        boxes.append(
            {
                "x_min": round(left / 512, 4),
                "y_min": round(top / 512, 4),
                "x_max": round(1 - right / 512, 4),
                "y_max": round(1 - bottom / 512, 4),
            }
        )
    return boxes


def _middle(box: Mapping[str, float]) -> dict[str, float]:
    return {
        "x": round((box["x_min"] + box["x_max"]) / 2, 4),
        "y": round((box["y_min"] + box["y_max"]) / 2, 4),
    }


def _metrics(asked: str, said: str) -> dict[str, Any]:
    return {
        "input_tokens": count_tokens(asked),
        "output_tokens": count_tokens(said),
        "prefill_time_ms": 0.0,
        "decode_time_ms": 0.0,
        "ttft_ms": 0.0,
    }
