"""What a call costs grows in step with its texts, whatever they are made of."""

from __future__ import annotations

from typing import Any

import pytest

from bindings.ai.catalogue import MODELS, Api, Model
from bindings.ai.inputs import check_inputs, prompt_text
from bindings.ai.neurons import estimate
from bindings.ai.rules import RuleBook
from bindings.ai.settings import Rule
from bindings.ai.stub import respond

from ...growth import check_growth

UNITS = [
    *(
        "a",
        " ",
        "\n",
        "-",
        "1",
        ".",
        "*",
        "_",
        "é",
        "'",
        "@",
        "a@",
        "a.",
        "1,",
        "- ",
        "1. ",
        "a ",
        "A ",
    ),
    *(
        "A",
        "Aa",
        ". ",
        "# ",
        "http://",
        "2026-01-01 ",
        "a\n",
        "a-b",
        "want ",
        "中",
        "a'",
        ";",
        "\t",
        "x@y.",
    ),
]
STRING = {"type": "string"}
SCHEMA = {
    "type": "object",
    "properties": {
        "mail": {"type": "string", "format": "email"},
        "link": {"type": "string", "format": "uri"},
        "day": {"type": "string", "format": "date"},
        "city": STRING,
        "count": {"type": "integer"},
        "word": {"type": "string", "pattern": "^(a+)+$"},
        "kind": {"enum": ["red wine", "white wine", "other"]},
    },
}


def model_of(api: Api) -> Model:
    return next(model for model in MODELS if model.api == api)


def ask(api: Api, values: Any) -> None:
    """Do all that a call of a model does, but for threads and the ledger."""
    model = model_of(api)
    prompt = prompt_text(values)
    check_inputs(model, values)
    RuleBook([Rule(prompt=r"(\w+\s*)+$", model="never"), Rule(prompt=r"(a|a)*b")]).reply(
        model, prompt, values
    )
    estimate(model, prompt, values, respond(model, values, None, 0))


CALLS: dict[str, tuple[Api, Any]] = {
    "prompt": (Api.GENERATION, lambda text: {"prompt": text}),
    "messages": (
        Api.CHAT,
        lambda text: {
            "messages": [{"role": "system", "content": text}, {"role": "user", "content": text}]
        },
    ),
    "JSON mode": (
        Api.GENERATION,
        lambda text: {
            "messages": [{"role": "system", "content": text}, {"role": "user", "content": text}],
            "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        },
    ),
    "stream": (Api.GENERATION, lambda text: {"prompt": text, "stream": True}),
    "embedding": (Api.EMBEDDINGS, lambda text: {"text": text}),
    "summary": (Api.SUMMARIZATION, lambda text: {"input_text": text}),
    "sentiment": (Api.SENTIMENT, lambda text: {"text": text}),
    "translation": (Api.TRANSLATION, lambda text: {"text": text, "target_lang": "fr"}),
    "rerank": (Api.RERANK, lambda text: {"query": text, "contexts": [{"text": text}]}),
    "speech": (Api.AURA, lambda text: {"text": text}),
    "guard": (Api.GUARD, lambda text: {"messages": [{"role": "user", "content": text}]}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_costs_in_step_with_its_text(name: str) -> None:
    api, inputs = CALLS[name]
    for unit in UNITS:
        check_growth(
            lambda values: ask(api, values),
            lambda size, unit=unit: inputs((unit * size)[:size]),  # type: ignore[misc]
        )
