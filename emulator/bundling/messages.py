"""esbuild's errors and warnings as text, with wrangler's advice where it has some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.bundling import node_builtins
from emulator.bundling.hooks import Ask
from emulator.bundling.node_builtins import Mode
from emulator.bundling.packets import Value
from emulator.bundling.tools import add_command, package, package_name

_UNRESOLVED = re.compile(r'Could not resolve "(.+?)"')
_EXTERNAL_NOTE = "as external to exclude it from the bundle"
_ALIAS_ADVICE = 'you can add an entry to "alias" in your Wrangler configuration.'


async def shown_messages(ask: Ask, messages: Value, *, are_warnings: bool) -> tuple[str, ...]:
    """Return messages as esbuild shows them at a terminal: text, place and code."""
    if not messages:
        return ()
    found = await ask(
        {"command": "format-msgs", "messages": messages, "isWarning": are_warnings, "color": False}
    )
    shown = found["messages"]
    assert isinstance(shown, list)
    return tuple(str(text).rstrip() for text in shown)


def with_advice(messages: Value, mode: Mode, project_dir: Path) -> Value:
    """Return errors with wrangler's advice about imports that could not be resolved, and ours."""
    assert isinstance(messages, list)
    changed: list[Value] = []
    for message in messages:
        assert isinstance(message, dict)
        found = _UNRESOLVED.fullmatch(str(message["text"]))
        notes = message["notes"]
        if found and isinstance(notes, list):
            text = node_builtins.advice(found[1], mode)
            if text:
                notes = [_note(text)]
            elif any(_EXTERNAL_NOTE in _text(note) for note in notes):
                notes = [note for note in notes if _EXTERNAL_NOTE not in _text(note)]
                notes.append(_note(_missing_package(found[1], project_dir)))
        changed.append({**message, "notes": notes})
    return changed


def unresolved(messages: Value) -> Iterator[tuple[str, str]]:
    """Yield each import that could not be resolved, and the file that has it."""
    for message in messages if isinstance(messages, list) else ():
        assert isinstance(message, dict)
        found = _UNRESOLVED.fullmatch(str(message["text"]))
        for file, _ in places([message]):
            if found:
                yield found[1], file


def places(messages: Value) -> Iterator[tuple[str, int]]:
    """Yield the file and line of each message that has a place; files relative to the project."""
    for message in messages if isinstance(messages, list) else ():
        location = message["location"] if isinstance(message, dict) else None
        if isinstance(location, dict):
            line = location["line"]
            yield str(location["file"]), line if isinstance(line, int) else 0


def joined(shown: Sequence[str]) -> str:
    """Return several shown messages as one text."""
    return "\n\n".join(shown)


def _missing_package(path: str, project_dir: Path) -> str:
    name = package_name(path)
    if package(name, project_dir) is not None:  # it is there, but not this part of it
        return f"To fix this, {_ALIAS_ADVICE}"
    return f"Run `{add_command(project_dir, name)}`, or {_ALIAS_ADVICE}"


def _text(note: Value) -> str:
    return str(note["text"]) if isinstance(note, dict) else ""


def _note(text: str) -> Value:
    return {"text": text, "location": None}
