"""`[[ai.rules]]` of groundfog.toml: canned answers for Workers AI calls."""

from __future__ import annotations

import re

from bindings.ai.settings import Rule
from emulator.config.durations_key import read_duration_ms
from emulator.config.problems import listed, quoted
from emulator.config.table import Table
from emulator.config.toml_source import plain_json
from emulator.json_types import Json
from emulator.regex import BadPattern, compile_regex

CONDITION_KEYS = ("model", "task", "prompt", "input")
ANSWER_KEYS = ("text", "json", "sequence", "error")
RULE_KEYS = (*CONDITION_KEYS, *ANSWER_KEYS, "delay", "stream")
ERROR_KEYS = ("code", "message", "name")
STREAM_KEYS = ("words", "bytes", "delay")
TASKS = (
    "Text Generation",
    "Text Embeddings",
    "Text Classification",
    "Translation",
    "Summarization",
    "Image Classification",
    "Object Detection",
    "Image-to-Text",
    "Text-to-Image",
    "Automatic Speech Recognition",
    "Text-to-Speech",
    "Voice Activity Detection",
)
_INPUT_EXAMPLE = 'Write input = { "messages[0].role" = "system" }.'
# A JSON path: names and [indexes], of which [-1] is the last and [*] any.
_PATH = re.compile(r"[^.\[\]]+(?:\[(?:-?\d+|\*)\])*(?:\.[^.\[\]]+(?:\[(?:-?\d+|\*)\])*)*")
PIECES_MAX = 1_000_000


def read_rules(ai: Table) -> tuple[Rule, ...]:
    """Return the valid rules, in their order; wrong ones are reported."""
    items = ai.tables("rules", 'Write [[ai.rules]] with model = "*" and text = "…" below it.')
    return tuple(rule for rule in map(read_rule, items) if rule is not None)


def read_rule(item: Table) -> Rule | None:
    """Return one rule, or None when it is wrong; every reason is reported."""
    before = len(item.report.problems)
    item.unknown_keys(RULE_KEYS, item.report.error)
    model = item.string("model", required="model" in item.data)
    prompt = _read_pattern(item, "prompt")
    answers = [key for key in ANSWER_KEYS if key in item.data]
    # A delay or the way a stream is cut may change the stub's own answer.
    is_changed = "delay" in item.data or "stream" in item.data
    if len(answers) > 1 or not (answers or is_changed):
        found = listed(f'"{key}"' for key in answers) or "no answer"
        text = f"{item.name()} has {found}; expected exactly one of text, json, sequence and error"
        item.error(None, text, 'For example text = "Hello.".')
    stream = _read_stream(item)
    rule = Rule(
        model=model or "*",
        task=_read_task(item),
        prompt=prompt,
        input=_read_input(item),
        text=item.string("text"),
        json=plain_json(item.data.get("json")),
        sequence=_read_sequence(item),
        error=_read_error(item),
        delay_ms=read_duration_ms(item, "delay", 0),
        stream_words=stream.integer("words", 1, PIECES_MAX) or 1,
        stream_bytes=stream.integer("bytes", 1, PIECES_MAX),
        stream_delay_ms=read_duration_ms(stream, "delay", 0),
        where=item.where(),
    )
    return rule if len(item.report.problems) == before else None


def _read_task(item: Table) -> str | None:
    task = item.string("task", required="task" in item.data)
    if task is None:
        return None
    known = {_task_key(name) for name in TASKS}
    if _task_key(task) not in known:
        text = f"{item.name('task')} is {quoted(task)}; expected a task of the catalogue"
        item.error("task", text, f"Tasks: {', '.join(TASKS)}.")
    return task


def _task_key(task: str) -> str:
    return re.sub(r"[\W_]+", " ", task).casefold()


def _read_pattern(table: Table, key: str) -> str | None:
    pattern = table.string(key, required=key in table.data)
    if pattern is None:
        return None
    try:
        compile_regex(pattern)
    except BadPattern as error:
        text = f"{table.name(key)} is not a regular expression: {error}"
        table.error(key, text, "Write it in single quotes, so that backslashes stay.")
        return None
    return pattern


def _read_input(item: Table) -> dict[str, Json]:
    paths = item.table("input", _INPUT_EXAMPLE)
    if paths is None:
        return {}
    for path, expected in paths.data.items():
        if _PATH.fullmatch(path) is None:
            found = (
                f"{item.name('input')} has the path {quoted(path)}; expected names and [indexes]"
            )
            paths.error(path, found, _INPUT_EXAMPLE)
        if isinstance(expected, dict):
            test = paths.table(path)
            assert test is not None
            _check_test(test)
    return {path: plain_json(expected) for path, expected in paths.data.items()}


def _check_test(test: Table) -> None:
    """A table as the expected value is a test: `{ matches = "…" }` or `{ exists = true }`."""
    if test.data.keys() == {"matches"}:
        _read_pattern(test, "matches")
    elif test.data.keys() == {"exists"}:
        test.boolean("exists")
    else:
        found = f"{test.name()} has {listed(map(quoted, test.data)) or 'nothing'}"
        test.error(None, f"{found}; expected either matches or exists", 'Say { matches = "…" }.')


def _read_sequence(item: Table) -> tuple[object, ...]:
    value = item.data.get("sequence")
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        text = f"{item.name('sequence')} is not a list of answers; expected at least one"
        item.error("sequence", text, 'For example sequence = ["first", "second"].')
        return ()
    for place, element in enumerate(value):
        if isinstance(element, dict) and element.keys() == {"error"}:
            path = (*item.path, "sequence", place)
            _read_error(Table(element, path, item.source, item.report))
    return tuple(plain_json(value))


def _read_error(item: Table) -> dict[str, object] | None:
    error = item.table("error", 'Write error = { code = 3040, message = "Capacity exceeded" }.')
    if error is None:
        return None
    error.unknown_keys(ERROR_KEYS, item.report.error)
    if "code" not in error.data:
        error.error(None, f"{error.name()} has no code; expected a number", "Add code = 3040.")
    told = {"code": error.integer("code", 0, 99_999)}
    texts = {key: error.string(key, required=key in error.data) for key in ("message", "name")}
    return told | {key: text for key, text in texts.items() if text is not None}


def _read_stream(item: Table) -> Table:
    stream = item.table("stream", "Write stream = { words = 5, delay = 50 }.")
    if stream is None:
        return Table({}, item.path, item.source, item.report)
    stream.unknown_keys(STREAM_KEYS, item.report.error)
    return stream
