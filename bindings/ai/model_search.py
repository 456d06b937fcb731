"""`env.AI.models()`: the catalogue as the model search answers it. Pure.

Source: docs/platform/workers-ai.md, "The catalogue".
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from bindings.ai.catalogue import Model, Task
from bindings.ai.errors import internal
from emulator.answers.ai import ListedModel

KNOWN_TASK_IDS = {
    Task.TEXT_GENERATION: "c329a1f9-323d-4e91-b2aa-582dd4188d34",
    Task.TEXT_EMBEDDINGS: "0137cdcf-162a-4108-94f2-1ca59e8c65ee",
}


def search_models(models: Sequence[Model], params: Any) -> list[ListedModel]:
    """Return the models that satisfy `author`, `search` and `task`, one page of them.

    Raises WorkerError when the page is not a number.
    """
    params = params if isinstance(params, dict) else {}
    found = [model for model in models if _is_wanted(model, params)]
    per_page = _number(params, "per_page") or len(found) or 1
    first = (max(1, _number(params, "page")) - 1) * per_page
    return [_show(model) for model in found[first : first + per_page]]


def _is_wanted(model: Model, params: dict[str, Any]) -> bool:
    author = model.name.split("/")[1]
    return (
        str(params.get("search") or "").casefold() in model.name.casefold()
        and str(params.get("task") or model.task).casefold() == model.task.casefold()
        and str(params.get("author") or author).casefold() == author.casefold()
    )


def _number(params: dict[str, Any], name: str) -> int:
    try:
        return max(0, int(params.get(name) or 0))
    except (TypeError, ValueError, OverflowError):
        raise internal(f"{name} must be a number, and is {params[name]!r}") from None


def _show(model: Model) -> ListedModel:
    properties = [
        ("context_window", str(model.context) if model.context else ""),
        ("output_dimensions", str(model.dimensions) if model.dimensions else ""),
    ]
    return {
        "id": _id(model.name),
        "source": 1,
        "name": model.name,
        "description": f"{model.task} model, answered locally by Groundfog.",
        "task": {
            "id": KNOWN_TASK_IDS.get(model.task, _id(model.task)),
            "name": str(model.task),
            "description": "",
        },
        "tags": [],
        "properties": [
            {"property_id": name, "value": value} for name, value in properties if value
        ],
    }


def _id(name: str) -> str:
    return str(uuid.UUID(bytes=hashlib.blake2b(name.encode(), digest_size=16).digest(), version=4))
