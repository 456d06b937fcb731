"""Which texts can be the name of a model. Pure.

Examples: `@cf/meta/llama-3.1-8b-instruct`, and without `@` for other providers: `openai/gpt-5`.
A name becomes a part of the path in a request to an upstream, and the request has the developer's
token. So a name that could lead to another path is refused: one with an empty segment, with a
segment that begins with a dot, or with a percent sign, which can encode anything.
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
