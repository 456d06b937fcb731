"""Random code of workflows, and random edits of it: what tests of the guard play, in any guest.

A workflow is a list of operations. Each has an identity that edits keep, so a test notices a step
that runs again under another name. Inserted steps get names that were never used: a step is
identified by its name and count, as in production (docs/reload.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random


@dataclass(frozen=True)
class Do:
    """A step, called `times` times in a row."""

    identity: int
    name: str
    times: int = 1


@dataclass(frozen=True)
class Sleep:
    """A sleep of ten minutes."""

    identity: int
    name: str


@dataclass(frozen=True)
class Gather:
    """Steps side by side."""

    branches: tuple[Do | Sleep, ...]


Operation = Do | Sleep | Gather
Code = tuple[Operation, ...]

HARMLESS = ("reorder branches", "append", "nothing")
ANY = (*HARMLESS, "rename", "remove", "insert", "change kind", "fewer turns", "move")


def random_code(random: Random) -> Code:
    """Return a workflow of up to seven operations; every name is used once."""
    code: list[Operation] = []
    identity = 0
    shapes = [random.choice(("do", "sleep", "loop", "gather")) for _ in range(random.randint(0, 6))]
    for shape in [*shapes, "sleep"]:
        identity += 10
        match shape:
            case "do":
                code.append(Do(identity, f"step {identity}"))
            case "loop":
                code.append(Do(identity, f"step {identity}", random.randint(2, 3)))
            case "sleep":
                code.append(Sleep(identity, f"nap {identity}"))
            case "gather":
                count = random.randint(2, 3)
                steps = [Do(identity + n, f"step {identity + n}") for n in range(count)]
                nap = [Sleep(identity + 9, f"nap {identity + 9}")] * random.randint(0, 1)
                code.append(Gather((*steps, *nap)))
    return tuple(code)


def edited(random: Random, code: Code, edit: str) -> Code:
    """Return `code` after one edit at a random place."""
    place = random.randint(0, len(code) - 1)
    operation = code[place]
    fresh = Do(1000, "new step")
    match edit:
        case "rename":
            return _with(code, place, _each(operation, _renamed))
        case "remove":
            return (*code[:place], *code[place + 1 :])
        case "insert":
            return (*code[:place], fresh, *code[place:])
        case "change kind":
            return _with(code, place, _each(operation, _other_kind))
        case "fewer turns" if isinstance(operation, Do):
            return _with(code, place, replace(operation, times=max(1, operation.times - 1)))
        case "move":
            rest = [*code[:place], *code[place + 1 :]]
            rest.insert(random.randint(0, len(rest)), operation)
            return tuple(rest)
        case "reorder branches" if isinstance(operation, Gather):
            branches = list(operation.branches)
            random.shuffle(branches)
            return _with(code, place, Gather(tuple(branches)))
        case "append":
            return (*code, fresh)
        case _:
            return code


def names_in(code: Code) -> set[str]:
    """Return the names of all steps."""
    found: set[str] = set()
    for operation in code:
        branches = operation.branches if isinstance(operation, Gather) else (operation,)
        found |= {branch.name for branch in branches}
    return found


def _with(code: Code, place: int, operation: Operation) -> Code:
    return (*code[:place], operation, *code[place + 1 :])


def _each(operation: Operation, change: Callable[[Do | Sleep], Do | Sleep]) -> Operation:
    if isinstance(operation, Gather):
        return Gather((change(operation.branches[0]), *operation.branches[1:]))
    return change(operation)


def _renamed(operation: Do | Sleep) -> Do | Sleep:
    return replace(operation, name=f"{operation.name}!")


def _other_kind(operation: Do | Sleep) -> Do | Sleep:
    other = Sleep if isinstance(operation, Do) else Do
    return other(operation.identity, operation.name)
