"""The history of an instance <-> a JSON document, for `groundfog workflows check`. Pure.

Version 1, documented in docs/reload.md: all entries of the journal, with values as tagged JSON.
Outputs of `sensitive` steps are left out, as everywhere outside the journal. Tracebacks are
left out too: they name folders of the machine that the history comes from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from emulator.answers.workflows import HistoryDocument, HistoryEntry
from emulator.engine.model import fold
from emulator.engine.model.entries import Entry, from_json, members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance
from emulator.engine.model.plain import REDACTED
from emulator.engine.model.renamed import with_current_names
from emulator.engine.model.step_entries import StepStart
from emulator.engine.model.step_key import is_step_key
from emulator.errors import UsageError
from emulator.protocol import deep_json, values

FORMAT = "groundfog-history"
VERSION = 1
_OF_THE_INSTANCE = frozenset(
    kind
    for kind in EntryKind
    if kind.name.startswith("WORKFLOW_")
    or kind.name
    in ("EVENT_RECEIVED", "CODE_CHANGED", "ROLLBACK_START", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
)
# The errors of a history that cannot have happened.
_NONSENSE = (KeyError, TypeError, ValueError, AttributeError, IndexError, AssertionError)


def export(instance: Instance, entries: Iterable[Entry]) -> HistoryDocument:
    """Return the document about an instance. Raises ValueError for a malformed value."""
    sensitive: set[str] = set()
    shown: list[HistoryEntry] = []
    for _, entry in with_current_names(enumerate(entries)):
        if entry.kind is EntryKind.STEP_RENAMED:
            continue
        if isinstance(entry.data, StepStart) and entry.data.is_sensitive:
            sensitive.add(entry.step)
        item: HistoryEntry = {"at": entry.at_ms, "kind": entry.kind.name}
        if entry.step:
            item["step"] = entry.step
        if entry.attempt:
            item["attempt"] = entry.attempt
        data = {name: told for name, told in members_of(entry).items() if name != "traceback"}
        if data:
            item["data"] = data
        if entry.value:
            item["value"] = REDACTED if entry.step in sensitive else deep_json.loads(entry.value)
        shown.append(item)
    return {
        "format": FORMAT,
        "version": VERSION,
        "workflow": instance.workflow,
        "id": instance.id,
        "entries": shown,
    }


def parse_history(text: str, shown: str) -> Instance:
    """Return the instance of a document; `shown` is the file, for messages.

    Raises UsageError for any other document, and for a history that cannot have happened.
    """
    try:
        document = deep_json.loads(text)
    except ValueError as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{shown}{line}: not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UsageError(
            f'{shown}: not a history; expected an object with "format": "{FORMAT}".\n'
            "  Write one with `groundfog workflows instances export NAME ID`."
        )
    version = document.get("version")
    if version != VERSION:
        raise UsageError(
            f"{shown}: version is {version!r}; this Groundfog reads version {VERSION}.\n"
            "  Upgrade it, or export the history again."
        )
    workflow, instance_id = document.get("workflow"), document.get("id")
    entries = document.get("entries")
    if not isinstance(workflow, str) or not isinstance(instance_id, str):
        raise UsageError(f"{shown}: workflow and id must be strings")
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{shown}: entries must be a list, and not be empty")
    instance = Instance(0, workflow, instance_id)
    for place, item in enumerate(entries):
        where = f"{shown}: entries[{place}]"
        entry = _entry(item, where)
        try:
            fold.apply(instance, entry)
        except _NONSENSE:
            raise _impossible(where, entry.kind, entry.step) from None
    return instance


def _entry(item: Any, where: str) -> Entry:
    """Return the entry of one item of a document, which may be anything."""
    if not isinstance(item, dict):
        raise UsageError(f"{where} is {type(item).__name__}; expected an object")
    kind = EntryKind.__members__.get(str(item.get("kind")))
    if kind is None:
        raise UsageError(f"{where}: kind is {item.get('kind')!r}, which is not a kind of entry")
    types: tuple[tuple[str, type, object], ...] = (
        ("at", int, None),
        ("step", str, ""),
        ("attempt", int, 0),
        ("data", dict, {}),
    )
    for field, expected, default in types:
        found = item.get(field, default)
        if not isinstance(found, expected) or isinstance(found, bool):
            raise UsageError(f"{where}: {field} is {found!r}; expected {expected.__name__}")
    step = item.get("step", "")
    if not step and kind not in _OF_THE_INSTANCE:
        raise UsageError(f"{where}: {kind.name} is about a step, and step is missing")
    if step and not is_step_key(step):
        raise UsageError(f'{where}: step is {step!r}; expected "kind:count:name"')
    value = b""
    try:
        if "value" in item:
            value = deep_json.dumps(item["value"]).encode()
        values.decode(value)
    except ValueError as error:
        raise UsageError(f"{where}: value is {error}") from None
    try:
        data = from_json(kind, item.get("data", {}))
    except _NONSENSE:
        raise _impossible(where, kind, step) from None
    return Entry(0, item["at"], kind, step, item.get("attempt", 0), data, value)


def _impossible(where: str, kind: EntryKind, step: str) -> UsageError:
    of = f" of {step}" if step else ""
    return UsageError(f"{where}: {kind.name}{of} does not follow from the entries before it")
