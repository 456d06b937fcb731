"""What follows from a divergence, and how a person lets a held instance go on. Pure.

Returns entries to record, or a whole `Decision`, as `lifecycle` does.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.engine.actions import Decision, Deliver, Queue
from emulator.engine.decide.endings import failed
from emulator.engine.model.divergence import UNNOTICED, Change, Divergence, Finding, Policy
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.identity import key_of
from emulator.engine.model.instance import Instance
from emulator.engine.model.instance_entries import FoundDivergence, Resumption
from emulator.engine.model.places import Place
from emulator.engine.model.step_entries import Renaming
from emulator.engine.model.step_key import StepKind
from emulator.errors import WorkerError
from emulator.words import Language

DIVERGED = "WorkflowDivergedError"  # our own: production goes on and says nothing


def action_for(divergence: Divergence, policy: Policy) -> Policy:
    """Return the action: a run that never rests only causes a warning, and is not held."""
    return Policy.WARN if divergence.stands == "restless" else policy


def diverged(
    instance: Instance, found: FoundDivergence, language: Language, now_ms: int
) -> list[Entry]:
    """Return the entries for an instance that the code does not fit."""
    entries = [Entry(instance.key, now_ms, EntryKind.WORKFLOW_DIVERGED, data=found)]
    if found.action is Policy.FAIL:
        what = summary(found.divergence, language)
        text = f"The code no longer fits what this instance has done: {what}"
        entries.append(failed(instance, ErrorInfo(DIVERGED, text), now_ms))
    return entries


def divergence_of(instance: Instance) -> Divergence:
    """Return why an instance is held."""
    assert instance.divergence is not None
    return instance.divergence.divergence


def is_known(instance: Instance, divergence: Divergence) -> bool:
    """Whether `instance` is already held for the same reason, so that nothing is recorded.

    If a sleep or wait differs, the compared value is a part of the reason.
    """
    if not instance.is_held or any(f.change in UNNOTICED for f in divergence.findings):
        return False
    known = divergence_of(instance)
    return (known.signature, known.missing) == (divergence.signature, divergence.missing)


def unseen(instance: Instance, generation: int) -> Divergence | None:
    """Return why `instance` is held, if that was found in a callback.

    A replay runs no callbacks. On code of another generation it must be tried again.
    """
    divergence = divergence_of(instance)
    same = instance.divergence is not None and instance.divergence.generation == generation
    return divergence if divergence.within and same else None


def refuse_plain_resume(instance: Instance, language: Language) -> None:
    """Raise WorkerError when `instance` is held: first a person must choose how it goes on."""
    if not instance.is_held:
        return
    raise WorkerError(
        f"(instance.held) {instance.workflow} {instance.id} is held, because the code no longer"
        f" fits what it has done: {summary(divergence_of(instance), language)}. Undo the edit,"
        " or choose: resume with accept or rename, restart, or terminate"
        f" (groundfog workflows instances resume {instance.workflow} {instance.id} --accept)",
    )


def accept(instance: Instance, now_ms: int) -> Decision:
    """Let a held instance go on with its code; steps that the code does not call are set aside."""
    _require_held(instance, "accept")
    data = Resumption(accepted=True)
    entry = Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESUMED, data=data)
    return Decision([entry], [Queue(instance), Deliver(instance)])


def fits_again(instance: Instance, generation: int, now_ms: int) -> Decision:
    """Let a held instance go on by itself, as it fits the new code."""
    data = Resumption(fits=generation)
    entry = Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESUMED, data=data)
    return Decision([entry], [Queue(instance)])


def rename(instance: Instance, names: Mapping[str, str], now_ms: int) -> Decision:
    """Let a held instance go on, with recorded steps under their new names in the code.

    names: old -> new, every call of that name. Raises WorkerError, naming what could be renamed.
    """
    _require_held(instance, "rename")
    entries = []
    taken: dict[tuple[str, Place], str] = {}  # caller and place -> key
    for old, new in names.items():
        entries += _rename(instance, old, new, taken, now_ms)
    data = Resumption(renamed=dict(names))
    entries.append(Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESUMED, data=data))
    return Decision(entries, [Queue(instance), Deliver(instance)])


def _rename(
    instance: Instance, old: str, new: str, taken: dict[tuple[str, Place], str], now_ms: int
) -> list[Entry]:
    missing = set(divergence_of(instance).missing)
    steps = [s for s in instance.steps.values() if s.name == old and s.key in missing]
    if not steps:
        could = sorted({instance.steps[key].name for key in missing if key in instance.steps})
        names = ", ".join(f'"{name}"' for name in could) or "none"
        raise WorkerError(
            f'(instance.cannot_rename) No recorded step "{old}" is missing from the code;'
            f" missing: {names}",
        )
    entries = []
    for step in steps:
        kind, _, nth = step.place
        where = step.caller, (kind, new, nth)
        key = key_of(instance, *where, not_in=taken.values())
        if where in taken or key in instance.steps:
            raise WorkerError(
                f'(instance.cannot_rename) "{old}" #{step.count} cannot become "{new}"'
                f" #{step.count}: the instance has recorded a step of that name",
            )
        taken[where] = key
        data = Renaming(step.key)
        entries.append(Entry(instance.key, now_ms, EntryKind.STEP_RENAMED, key, data=data))
    return entries


def _require_held(instance: Instance, what: str) -> None:
    if not instance.is_held:
        raise WorkerError(
            f"(instance.not_held) Cannot {what}: {instance.workflow} {instance.id} is"
            f" {instance.status.value}, and not held because of changed code",
        )


def summary(divergence: Divergence, language: Language) -> str:
    """Return one line with all findings: `"charge" was renamed to "charge-card"; …`."""
    return "; ".join(sentence(finding, language) for finding in divergence.findings)


def sentence(finding: Finding, language: Language) -> str:
    """Return a sentence about a recorded step."""
    name, new = f'"{finding.name}"', f'"{finding.new_name}"'
    kind = language.step(finding.kind)
    times = len(finding.counts)
    match finding.change:
        case Change.RENAMED:
            return f"{name} was renamed to {new}, or {new} was put in its place or before it"
        case Change.REPLACED:
            new_kind = language.step(finding.new_kind)
            return f"{new_kind} {new} was put in the place of {kind} {name}, or before it"
        case Change.KIND:
            new_kind = language.step(finding.new_kind)
            return f"{name} was a {kind} and is a {new_kind} now"
        case Change.COUNT:
            last = finding.counts[-1]
            return f"{name} was called {last} times and is called {last - times} times now"
        case Change.REMOVED:
            return f"{name} was removed, or is in a branch that is not taken any more"
        case Change.UNREACHABLE:
            return f"{name} is still in the code and is not reached any more"
        case Change.SLEEP:
            return f"{name} sleeps, and its duration was changed: {finding.detail}"
        case Change.UNTIL:
            return f"{name} sleeps, and its end was moved: {finding.detail}"
        case Change.EVENT:
            return f"{name} waits for an event, and its type was changed: {finding.detail}"


def runs_again(divergence: Divergence) -> str:
    """Return in words what would run again, or be different, if it continued."""
    again = [
        f'"{f.new_name}" would run, although "{f.name}" is done'
        for f in divergence.findings
        if f.new_name and f.new_kind == StepKind.DO and f.done
    ]
    kept = [f for f in divergence.findings if f.change in UNNOTICED]
    if kept:
        names = ", ".join(f'"{f.name}"' for f in kept)
        again.append(f"{names} would stay as recorded")
    if divergence.stands == "ended":
        again.append(f"it would end with {divergence.why}" if divergence.why else "it would end")
    return "; ".join(again) or "nothing would run again; what is missing would not be used"
