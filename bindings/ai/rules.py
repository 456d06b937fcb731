"""Fixed answers: which rule answers a call, and with what.

The first rule whose conditions all hold answers. Each rule counts its own calls, and its sequence
goes on with each. The counts last as long as the binding.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from bindings.ai.catalogue import Api, Model, Task
from bindings.ai.errors import failure
from bindings.ai.settings import Rule
from emulator.errors import WorkerError
from emulator.regex import Regex, compile_regex

PROMPT_EXCERPT_CHARS = 40
LOOK_CHARS = 1_000_000  # of a prompt in which a pattern is searched
_STEP = re.compile(r"([^.\[\]]+)|\[(-?\d+|\*)\]")


class Reply(Struct, frozen=True):
    """What a rule says. `value` is a text or a JSON value, or None: then the stub answers."""

    value: Any = None
    error: WorkerError | None = None
    rule: Rule = Rule()


class RuleBook:
    """The rules of one binding. Raises BadPattern when a pattern is not a regular expression."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [
            (rule, compile_regex(rule.prompt) if rule.prompt is not None else None)
            for rule in rules
        ]
        self._calls = [0] * len(self._rules)

    def reply(self, model: Model, prompt: str, inputs: Any = None) -> Reply | None:
        """Return the answer of the first rule that matches, or None; counts the call."""
        for number, (rule, pattern) in enumerate(self._rules):
            if _matches(rule, pattern, model, prompt) and _inputs_match(rule, inputs):
                self._calls[number] += 1
                return _reply(rule, self._calls[number])
        return None

    def declared(self, name: str) -> Model | None:
        """Return a model that a rule names in full and that is not in the catalogue, or None.

        It has the rule's task, and the inputs and answers that are usual for that task.
        """
        for rule, _ in self._rules:
            if rule.model == name:
                task = next((t for t in Task if _task_key(t) == _task_key(rule.task or "")), None)
                api = _USUAL_API.get(task, Api.GENERATION)
                return Model(name, task or Task.TEXT_GENERATION, api)
        return None


# The API of a model that only a rule knows, by its task; other tasks count as text generation.
_USUAL_API: dict[Task | None, Api] = {
    Task.TEXT_EMBEDDINGS: Api.EMBEDDINGS,
    Task.TEXT_CLASSIFICATION: Api.SENTIMENT,
    Task.TRANSLATION: Api.TRANSLATION,
    Task.SUMMARIZATION: Api.SUMMARIZATION,
    Task.IMAGE_CLASSIFICATION: Api.IMAGE_CLASSIFICATION,
    Task.OBJECT_DETECTION: Api.OBJECT_DETECTION,
    Task.IMAGE_TO_TEXT: Api.IMAGE_TO_TEXT,
    Task.TEXT_TO_IMAGE: Api.FLUX,
    Task.SPEECH_RECOGNITION: Api.WHISPER,
    Task.TEXT_TO_SPEECH: Api.MELOTTS,
    Task.VOICE_ACTIVITY: Api.TURN,
}


NO_MATCHING_RULE = "NoMatchingRule"


def missing_rule(model: Model, prompt: str) -> WorkerError:
    """Return the error of strict mode: it shows the entry to add."""
    excerpt = re.escape(" ".join(prompt[:1_000].split())[:PROMPT_EXCERPT_CHARS].strip())
    excerpt = excerpt.replace("\\ ", r"\s+")
    answer = 'text = "…"' if model.task == "Text Generation" else "json = { }  # the whole result"
    return WorkerError(
        f"No [[ai.rules]] entry answers this call of {model.name}, and strict is on. "
        "Add one to groundfog.toml:\n\n"
        "[[ai.rules]]\n"
        f"model = {json.dumps(model.name)}\n"
        f"prompt = {json.dumps(excerpt, ensure_ascii=False)}\n"
        f"{answer}\n",
        name=NO_MATCHING_RULE,
    )


def values_at(value: Any, path: str) -> Iterator[Any]:
    """Yield the values at a path such as `messages[-1].content` or `tools[*].name`."""
    found = [value]
    for name, index in _STEP.findall(path):
        found = [inner for outer in found for inner in _step(outer, name, index)]
    yield from found


def _step(value: Any, name: str, index: str) -> list[Any]:
    if name:
        return [value[name]] if isinstance(value, Mapping) and name in value else []
    if not isinstance(value, list):
        return []
    if index == "*":
        return value
    place = int(index)
    return [value[place]] if -len(value) <= place < len(value) else []


def _matches(rule: Rule, pattern: Regex | None, model: Model, prompt: str) -> bool:
    if not fnmatch.fnmatchcase(model.name, rule.model):
        return False
    if rule.task is not None and _task_key(rule.task) != _task_key(model.task):
        return False
    return pattern is None or pattern.is_in(prompt[:LOOK_CHARS])


def _inputs_match(rule: Rule, inputs: Any) -> bool:
    return all(
        _is_met(list(values_at(inputs, path)), expected) for path, expected in rule.input.items()
    )


def _is_met(found: list[Any], expected: Any) -> bool:
    if isinstance(expected, Mapping) and expected.keys() == {"exists"}:
        return bool(found) is expected["exists"]
    if isinstance(expected, Mapping) and expected.keys() == {"matches"}:
        pattern = compile_regex(expected["matches"])
        return any(isinstance(v, str) and pattern.is_in(v[:LOOK_CHARS]) for v in found)
    return any(value == expected for value in found)


def _task_key(task: str) -> str:
    return re.sub(r"[\W_]+", " ", task).casefold()


def _reply(rule: Rule, call: int) -> Reply:
    if rule.error is not None:
        return Reply(error=_failure(rule.error), rule=rule)
    if rule.sequence:
        value = rule.sequence[min(call, len(rule.sequence)) - 1]
        if isinstance(value, Mapping) and value.keys() == {"error"}:
            return Reply(error=_failure(value["error"]), rule=rule)
        return Reply(value, rule=rule)
    return Reply(rule.text if rule.text is not None else rule.json, rule=rule)


def _failure(error: Mapping[str, Any]) -> WorkerError:
    code = int(error.get("code", 0))
    return failure(code, str(error.get("message") or ""), str(error.get("name") or "AiError"))
