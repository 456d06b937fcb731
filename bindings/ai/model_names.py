"""What can be a model's name. Pure.

A name becomes a part of the path that an upstream is asked at, with the developer's token. So
whatever could lead to another path is no name: an empty segment, one that begins with a dot, and a
percent sign, behind which anything can hide.
Such as `@cf/meta/llama-3.1-8b-instruct`; models of other providers have no `@`: `openai/gpt-5`.
Source: docs/platform/workers-ai.md, "Names of models".
"""

from __future__ import annotations

import re

NAME_MAX_CHARS = 200
_NAME = re.compile(
    r"@?[A-Za-z0-9_][A-Za-z0-9_.:+~-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.:+~-]*)+", re.ASCII
)


def is_model_name(text: str) -> bool:
    """Return whether `text` is like `@provider/author/model`, or the same without the `@`."""
    return len(text) <= NAME_MAX_CHARS and _NAME.fullmatch(text) is not None
