"""The same inputs give the same answers on every machine, Python version and release.

A change of an answer is a change users see: their tests may expect it. When it is wanted, take
over the new hashes from the failing test, and tell it in the changelog.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from .calls import BGE, GLM, GPT_OSS, LLAMA, run

TEXT = (
    "Wir möchten unseren Katalog umziehen. We want to move 40,000 products to a headless shop by "
    "2026-09-01, with a search that works; the budget is 120,000 euros. Is that enough?"
)
SCHEMA = {
    "type": "object",
    "properties": {
        "intent": {"enum": ["migration", "redesign", "other"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "summary": {"type": "string", "maxLength": 80},
        "tags": {"type": "array", "items": {"type": "string"}},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"},
        "id": {"type": "string", "format": "uuid"},
    },
}
JSON = {"type": "json_schema", "json_schema": SCHEMA}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "generation": (LLAMA, {"prompt": TEXT}),
    "json mode": (LLAMA, {"prompt": TEXT, "response_format": JSON}),
    "stream": (LLAMA, {"prompt": TEXT, "stream": True}),
    "chat": (GLM, {"messages": [{"role": "user", "content": TEXT}]}),
    "responses": (GPT_OSS, {"input": TEXT}),
    "embeddings": (BGE, {"text": [TEXT, "short", "数据库"]}),
    "sentiment": ("@cf/huggingface/distilbert-sst-2-int8", {"text": TEXT}),
    "rerank": (
        "@cf/baai/bge-reranker-base",
        {"query": "headless shop", "contexts": [{"text": TEXT}, {"text": "short"}]},
    ),
    "summary": ("@cf/facebook/bart-large-cnn", {"input_text": TEXT}),
}
GOLDEN: dict[str, str] = {
    "generation": "bc69d4ea64c62b32",
    "json mode": "d8215f93c488e40d",
    "stream": "dc66bb5d4090aa4c",
    "chat": "703368aff3f9c3ef",
    "responses": "9d99111d755ad47a",
    "embeddings": "844a90af41295bdc",
    "sentiment": "d6af4a10a4db2d50",
    "rerank": "2c8a47a0e47e7f30",
    "summary": "345da2fef6fdb20e",
}


@pytest.mark.parametrize("name", CALLS)
def test_the_answer_is_the_recorded_one(name: str) -> None:
    answer = run(*CALLS[name])

    text = json.dumps(answer, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == GOLDEN[name], text[:2000]
