"""`[[ai.rules]]` of groundfog.toml: canned answers for Workers AI calls."""

from __future__ import annotations

import re

from emulator.config.durations_key import read_duration_ms
from emulator.config.model import AiRule
from emulator.config.problems import listed
from emulator.config.table import Table
from emulator.config.toml_source import plain_json

CONDITION_KEYS = ("model", "task", "prompt")
ANSWER_KEYS = ("text", "json", "sequence", "error")
RULE_KEYS = (*CONDITION_KEYS, *ANSWER_KEYS, "delay")
ERROR_KEYS = ("code", "message")


def read_rule(item: Table) -> AiRule | None:
    """Return one rule, or None when it is wrong; every reason is reported."""
    before = len(item.report.problems)
    item.unknown_keys(RULE_KEYS, item.report.error)
    model = item.string("model", required="model" in item.data)
    task = item.string("task", required="task" in item.data)
    prompt = _read_prompt(item)
    answers = [key for key in ANSWER_KEYS if key in item.data]
    if len(answers) != 1:
        found = listed(f'"{key}"' for key in answers) or "no answer"
        text = f"{item.name()} has {found}; expected exactly one of text, json, sequence and error"
        item.error(None, text, 'For example text = "Hello.".')
    rule = AiRule(
        model=model or "*",
        task=task,
        prompt=prompt,
        text=item.string("text"),
        json=plain_json(item.data.get("json")),
        sequence=_read_sequence(item),
        error=_read_error(item),
        delay_ms=read_duration_ms(item, "delay", 0),
        where=item.where(),
    )
    return rule if len(item.report.problems) == before else None


def _read_prompt(item: Table) -> str | None:
    prompt = item.string("prompt", required="prompt" in item.data)
    if prompt is None:
        return None
    try:
        re.compile(prompt)
    except (re.error, RecursionError, OverflowError) as error:
        text = f"{item.name('prompt')} is not a regular expression: {error}"
        item.error("prompt", text, "Write it in single quotes, so that backslashes stay.")
        return None
    return prompt


def _read_sequence(item: Table) -> tuple[object, ...]:
    value = item.data.get("sequence")
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        text = f"{item.name('sequence')} is not a list of answers; expected at least one"
        item.error("sequence", text, 'For example sequence = ["first", "second"].')
        return ()
    return tuple(plain_json(value))


def _read_error(item: Table) -> dict[str, object] | None:
    error = item.table("error", 'Write error = { code = 3040, message = "Capacity exceeded" }.')
    if error is None:
        return None
    error.unknown_keys(ERROR_KEYS, item.report.error)
    if "code" not in error.data:
        error.error(None, f"{error.name()} has no code; expected a number", "Add code = 3040.")
    code = error.integer("code", 0, 99_999)
    message = error.string("message", required=True, example="Capacity temporarily exceeded")
    return {"code": code, "message": message}
