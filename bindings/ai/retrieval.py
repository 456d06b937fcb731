"""Which sentence of a context fits a question, and which tool. Pure and deterministic.

Words are compared by their stems. A word that few sentences have counts more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bindings.ai.language import is_content_word, sentences, stem, words
from bindings.ai.prompts import Prompt, excerpt

SENTENCES_MAX = 2_000  # of a context that are compared
RESULT_MAX_CHARS = 500
NAME_WEIGHT = 2  # of a word in a tool's name; others have 1
FIT_MIN = 2
_GENERAL = frozenset({"get", "set", "do", "run", "call", "make", "tool", "function"})


def quoted(prompt: Prompt) -> str:
    """Return the sentence of the context that fits the question best; "" without one.

    The context is what tools have returned, the rest of the user's message, and the instructions.
    What a tool has returned is quoted in any case: it was asked for.
    """
    asked = sentences(prompt.asked)
    question = asked[-1] if asked and asked[-1].endswith("?") else ""
    if question:
        context = [*sentences(prompt.results), *asked[:-1], *sentences(prompt.instructions)]
        found = _best(question, [each for each in context if not each.endswith("?")])
        if found:
            return found
    return prompt.results.strip()[:RESULT_MAX_CHARS]


def _best(question: str, context: list[str]) -> str:
    wanted = _stems(question)
    told = [(text, _stems(text)) for text in dict.fromkeys(context[:SENTENCES_MAX])]
    common = Counter(each for _, stems in told for each in stems & wanted)
    best, best_score = "", 0.0
    for text, stems in told:
        score = sum(math.log(1 + len(told) / common[each]) for each in stems & wanted)
        if score > best_score:  # of equal ones, the first
            best, best_score = text, score
    return best


def fitting_tool(prompt: Prompt, tools: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the tool that the question fits best, if it fits any.

    It fits if it shares a word with the name of the tool, or two with its description and
    parameters. After a tool has answered, none is called again.
    """
    if prompt.results:
        return None
    asked = _stems(prompt.asked)
    best, best_fit = None, FIT_MIN - 1
    for tool in tools:
        name = _stems(" ".join(_name_words(tool))) - _GENERAL
        about = _stems(" ".join(_texts(tool))) - name
        fit = NAME_WEIGHT * len(asked & name) + len(asked & about)
        if fit > best_fit:
            best, best_fit = tool, fit
    return best


def _name_words(tool: Mapping[str, Any]) -> list[str]:
    return words(str(tool.get("name")).replace("_", " "))


def _texts(tool: Mapping[str, Any]) -> Iterator[str]:
    yield str(tool.get("description") or "")
    parameters = tool.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    for name, schema in properties.items() if isinstance(properties, Mapping) else ():
        yield str(name).replace("_", " ")
        if isinstance(schema, Mapping):
            yield str(schema.get("description") or "")


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(excerpt(text)) if is_content_word(word))
