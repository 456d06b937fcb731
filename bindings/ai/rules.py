"""Fixed answers: which rule answers a call, and with what.

The first rule whose conditions all hold answers. Each rule counts its own calls, which is how a
sequence advances; the counts live as long as the binding.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bindings.ai.catalogue import Model
from bindings.ai.errors import failure
from emulator.errors import WorkerError

PROMPT_EXCERPT_CHARS = 40


@dataclass(frozen=True, slots=True)
class Rule:
    """When to answer with something fixed; the fields are those of `[[ai.rules]]`.

    `model` is a glob, `task` the catalogue's task name, `prompt` a regular expression searched in
    the prompt. One of `text`, `json`, `sequence` (an answer per call, the last repeats) or
    `error` (`{"code", "message"}`) is given; with none, the stub answers after `delay_ms`.
    """

    model: str = "*"
    task: str | None = None
    prompt: str | None = None
    text: str | None = None
    json: Any = None
    sequence: tuple[Any, ...] = ()
    error: Mapping[str, Any] | None = None
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a rule says. `value` is a text or a JSON value; None leaves the answer to the stub."""

    value: Any = None
    error: WorkerError | None = None
    delay_ms: int = 0


class RuleBook:
    """The rules of one binding. Raises re.error for a prompt that is not a regular expression."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [
            (rule, re.compile(rule.prompt) if rule.prompt is not None else None) for rule in rules
        ]
        self._calls = [0] * len(self._rules)

    def reply(self, model: Model, prompt: str) -> Reply | None:
        """Return the answer of the first rule that matches, or None; counts the call."""
        for number, (rule, pattern) in enumerate(self._rules):
            if _matches(rule, pattern, model, prompt):
                self._calls[number] += 1
                return _reply(rule, self._calls[number])
        return None


def missing_rule(model: Model, prompt: str) -> WorkerError:
    """Return the error of strict mode: it shows the entry to add."""
    excerpt = re.escape(" ".join(prompt.split())[:PROMPT_EXCERPT_CHARS].strip())
    excerpt = excerpt.replace("\\ ", r"\s+")
    answer = 'text = "…"' if model.task == "Text Generation" else "json = { }  # the whole result"
    return WorkerError(
        f"No [[ai.rules]] entry answers this call of {model.name}, and strict is on. "
        "Add one to groundfog.toml:\n\n"
        "[[ai.rules]]\n"
        f"model = {json.dumps(model.name)}\n"
        f"prompt = {json.dumps(excerpt, ensure_ascii=False)}\n"
        f"{answer}\n",
        name="NoMatchingRule",
    )


def _matches(rule: Rule, pattern: re.Pattern[str] | None, model: Model, prompt: str) -> bool:
    if not fnmatch.fnmatchcase(model.name, rule.model):
        return False
    if rule.task is not None and _task_key(rule.task) != _task_key(model.task):
        return False
    return pattern is None or pattern.search(prompt) is not None


def _task_key(task: str) -> str:
    return re.sub(r"[\W_]+", " ", task).casefold()


def _reply(rule: Rule, call: int) -> Reply:
    if rule.error is not None:
        code = int(rule.error.get("code", 0))
        message = str(rule.error.get("message", "error from a rule"))
        name = str(rule.error.get("name", "AiError"))
        return Reply(error=failure(code, message, name), delay_ms=rule.delay_ms)
    if rule.sequence:
        value = rule.sequence[min(call, len(rule.sequence)) - 1]
        return Reply(value, delay_ms=rule.delay_ms)
    return Reply(rule.text if rule.text is not None else rule.json, delay_ms=rule.delay_ms)
