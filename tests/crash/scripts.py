"""Random workflow scripts: what an instance does, and what its outcome must be, whatever happens.

A script is plain JSON, interpreted by `worker.py`, so that every instance runs the same code. Names
are unique within an instance; outcomes are made of names only, so they do not depend on crashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

Act = dict[str, Any]

LONGEST_SLEEP_MS = 1_400  # past the engine's idle grace: the run is dropped and replayed
EVENT_TYPES = ("approval", "delivery")
UNLIMITED = ALWAYS = 1_000  # retries; failing attempts


@dataclass(frozen=True, slots=True)
class Script:
    """One instance: its id, what it does in order, and whether it raises at the end."""

    instance: str
    acts: list[Act]
    raises: bool

    @property
    def params(self) -> dict[str, Any]:
        """What `create` is given."""
        return {"acts": self.acts, "raises": self.raises}

    @property
    def output(self) -> list[Any]:
        """What `run()` returns, if it does."""
        return _outcome(self.acts)

    def awaited(self) -> list[str]:
        """Return the type of every event it waits for."""
        return _awaited(self.acts)

    def limits(self) -> dict[str, int]:
        """Return how often each step that may fail is retried, by name."""
        return _limits(self.acts)


def random_scripts(random: Random, count: int) -> list[Script]:
    """Return `count` different scripts."""
    return [
        Script(f"i{n}", _acts(random, f"i{n}", depth=0), raises=random.random() < 0.3)
        for n in range(count)
    ]


def _acts(random: Random, prefix: str, depth: int) -> list[Act]:
    return [
        _act(random, f"{prefix}.{n}", depth)
        for n in range(random.randint(2, 5 if depth == 0 else 3))
    ]


def _act(random: Random, name: str, depth: int) -> Act:
    kinds = (
        ["work"] * 5
        + ["nested", "sleep", "event", "fatal", "stream"]
        + ["parallel"] * (2 if depth == 0 else 0)
    )
    match random.choice(kinds):
        case "work" | "nested" | "stream" as kind:
            slow = random.random() < 0.3
            limit, fails = random.choice((UNLIMITED, 0, 1, 2, 3)), random.choice((0, 0, 0, 1, 2))
            if limit != UNLIMITED and random.random() < 0.5:
                fails = ALWAYS
            return {
                "act": kind,
                "name": name,
                "limit": limit,
                "fails": fails,
                "ms": random.randint(20, 150) if slow else 0,
                "undo": random.random() < 0.5 and kind != "stream",  # it has a rollback handler
            }
        case "sleep":
            ms = random.choice((5, 60, 300, LONGEST_SLEEP_MS))
            return {"act": "sleep", "name": name, "ms": ms}
        case "event":
            return {"act": "event", "name": name, "type": random.choice(EVENT_TYPES)}
        case "fatal":
            return {"act": "fatal", "name": name}
    branches = [_acts(random, f"{name}.{n}", depth + 1) for n in range(random.randint(2, 3))]
    return {"act": "parallel", "branches": branches}


def _outcome(acts: list[Act]) -> list[Any]:
    return [
        [_outcome(branch) for branch in act["branches"]]
        if act["act"] == "parallel"
        else act["name"]
        for act in acts
    ]


def _awaited(acts: list[Act]) -> list[str]:
    found = []
    for act in acts:
        if act["act"] == "event":
            found.append(act["type"])
        for branch in act.get("branches", []):
            found += _awaited(branch)
    return found


def _limits(acts: list[Act]) -> dict[str, int]:
    found = {}
    for act in acts:
        if "limit" in act:
            found[act["name"]] = act["limit"]
        for branch in act.get("branches", []):
            found |= _limits(branch)
    return found
