"""The text for the terminal when code no longer fits what instances have done. Pure.

Instances that diverged in the same way share one block: the steps as a diff, what was found, what
would run again, and the commands to choose from.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from emulator.cli.cells import columns, printable
from emulator.cli.ink import Colour, Ink
from emulator.engine.guard.held import runs_again, sentence
from emulator.engine.model.divergence import Change, DiffLine, Diverged, Divergence, Policy
from emulator.engine.model.step_key import StepKey
from emulator.words import Language

Group = tuple[object, ...]

_STATES = {"succeeded": "done", "started": "begun", "running": "begun"}
_COLOURS = {"-": Colour.RED, "+": Colour.GREEN, "~": Colour.YELLOW}
_IDS_SHOWN = 5


def group_of(told: Diverged) -> Group:
    """Return the key of an instance's block: what all instances of that block have in common."""
    return (told.workflow, told.action, *told.divergence.signature)


def grouped(all_told: Iterable[Diverged]) -> list[list[Diverged]]:
    """Return the instances in groups that diverged in the same way, in order."""
    groups: dict[Group, list[Diverged]] = {}
    for told in all_told:
        groups.setdefault(group_of(told), []).append(told)
    return list(groups.values())


def block(alike: Sequence[Diverged], ink: Ink, *, only_checked: bool = False) -> str:
    """Return the block about instances that diverged in the same way.

    only_checked: they were only checked, so nothing happened and there is nothing to choose.
    """
    first = alike[0]
    lines = [ink(Colour.BOLD, _checked(alike) if only_checked else _heading(alike)), ""]
    if first.divergence.stands == "restless":
        lines += [*_restless(first), ""]
    lines += [
        *diff_lines(first.divergence.diff, first.language, ink),
        "",
        *findings(first.divergence, first.language),
    ]
    if first.action is Policy.HOLD and not only_checked:
        lines += ["", *_choices(alike, ink)]
    return "\n".join(f"  {line}" if n and line else line for n, line in enumerate(lines))


def one_more_line(alike: Sequence[Diverged]) -> str:
    """Return the line about more instances of a group whose block was shown."""
    done = {Policy.HOLD: "held", Policy.WARN: "warned about", Policy.FAIL: "ended"}
    return f"{names_of(alike)}: {done[alike[0].action]} in the same way"


def diff_lines(diff: Iterable[DiffLine], language: Language, ink: Ink) -> Iterator[str]:
    """Yield the recorded steps beside the steps that the code asked for, in columns."""
    shown = [each for each in diff if each.sign != "…"]
    width = max((columns(_label(each)) for each in shown), default=0)
    for each in diff:
        if each.sign == "…":
            yield ink(Colour.DIM, "  …")
            continue
        label = _label(each)
        state = _STATES.get(each.state, each.state)
        was = "was " if each.sign == "-" and each.line else ""
        text = (
            f"{each.sign} {language.step(each.kind):<14} {label}"
            f"{' ' * (width - columns(label))}  {state:<9} {was}{each.line}"
        )
        yield ink(_COLOURS.get(each.sign, Colour.PLAIN), text.rstrip())


def findings(divergence: Divergence, language: Language) -> Iterator[str]:
    """Yield sentences: what was found, and what would run again."""
    if divergence.within:
        yield f'Called in the step "{printable(divergence.within)}", which is not finished.'
    for finding in divergence.findings:
        where = f" ({finding.line})" if finding.line else ""
        yield f"{printable(sentence(finding, language))}{where}."
    if divergence.later:
        names = dict.fromkeys(f'"{StepKey.of(key).name}"' for key in divergence.later)
        yield f"Recorded too, but not reached yet: {printable(', '.join(names))}."
    yield f"If it continued: {printable(runs_again(divergence))}."


def _heading(alike: Sequence[Diverged]) -> str:
    first = alike[0]
    plural = len(alike) > 1
    fits = "their code" if plural else "its code"
    match first.action:
        case _ if first.divergence.stands == "restless":
            what = f"could not be compared with {fits} and {'go' if plural else 'goes'} on."
        case Policy.HOLD:
            what = f"{'are' if plural else 'is'} held: {fits} no longer asks for what was done."
        case Policy.WARN:
            what = f"{'go' if plural else 'goes'} on, although {fits} no longer asks for what was"
            what += " done."
        case Policy.FAIL:
            what = f"{'were' if plural else 'was'} ended with an error: {fits} no longer asks for"
            what += " what was done."
    return f"{names_of(alike)} {what}"


def _checked(alike: Sequence[Diverged]) -> str:
    if alike[0].divergence.stands == "restless":
        return f"{names_of(alike)} cannot be compared with the code."
    return f"{names_of(alike)} would be held: the code does not ask for what was done."


def names_of(alike: Sequence[Diverged]) -> str:
    """Return who diverged: `"orders order-1"`, or how many instances and the first of them."""
    ids = ", ".join(printable(told.id) for told in alike[:_IDS_SHOWN])
    more = len(alike) - _IDS_SHOWN
    counted = f"{len(alike)} instances of {alike[0].workflow} ({ids}"
    if len(alike) == 1:
        return f"{alike[0].workflow} {ids}"
    return f"{counted} and {more} more)" if more > 0 else f"{counted})"


def _restless(told: Diverged) -> Iterator[str]:
    why = printable(told.divergence.why)
    yield f"It does I/O outside steps ({why}), so it could not be waited for."
    yield "Do that in a step, and the code can be compared before anything runs."


def _choices(alike: Sequence[Diverged], ink: Ink) -> Iterator[str]:
    told = alike[0]
    target = shlex.join([told.workflow, told.id])
    command = "groundfog workflows instances"
    renames = [
        shlex.quote(f"{finding.name}={finding.new_name}")
        for finding in told.divergence.findings
        if finding.change is Change.RENAMED
    ]
    if renames:
        options = " ".join(f"--rename {each}" for each in renames)
        yield _choice("it is the same step", f"{command} resume {target} {options}", ink)
    yield _choice("go on with new code", f"{command} resume {target} --accept", ink)
    step = told.divergence.findings[0]
    start = f"--from-step-name {shlex.quote(step.name)}"
    if step.counts[0] != 1:
        start += f" --from-step-count {step.counts[0]}"
    if step.kind != "do":
        start += f" --from-step-type {step.kind}"
    yield _choice("again from there", f"{command} restart {target} {start}", ink)
    yield _choice("again from the start", f"{command} restart {target}", ink)
    yield _choice("give it up", f"{command} terminate {target}", ink)
    yield "Or undo the edit: an instance that fits again goes on by itself."
    if len(alike) > 1:
        yield "With --all, resume does the same for all of them."


def _choice(what: str, command: str, ink: Ink) -> str:
    return f"{what:<21} {ink(Colour.CYAN, printable(command))}"


def _label(line: DiffLine) -> str:
    name = printable(line.name)
    return name if line.count == 1 else f"{name} #{line.count}"
