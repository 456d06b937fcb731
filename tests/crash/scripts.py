"""Random workflow scripts: what an instance does, interpreted by `worker.py`.

A script is plain JSON, a tree of acts, so that every instance runs the same code. Every act has a
`site`, its place in the tree. The ledger identifies calls by it, as steps may have equal names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

Act = dict[str, Any]

LONGEST_SLEEP_MS = 1_400  # past the engine's idle grace: the run is dropped and replayed
EVENT_TYPES = ("approval", "delivery")
CHILD_EVENT = "child"  # what a child sends to its parent at its end
UNLIMITED = ALWAYS = 1_000  # retries; failing attempts; exits
SHARED_NAMES = ("charge", "audit")
BIG_BYTES = 900_000  # of a result; the limit is 1 MiB
# What scripts and lives are made of; `--without` leaves some out.
FEATURES = frozenset(
    {
        *(
            "nested",
            "shared",
            "children",
            "rows",
            "big",
            "records",
            "streams",
            "computing",
            "poison",
        ),
        *("operations", "saves", "stops", "helpers", "clones"),
    }
)


_BINDINGS = """
[vars]
EDITED = 0

[[workflows]]
name = "flow"
binding = "FLOW"
class_name = "Flow"

[[workflows]]
name = "leaf"
binding = "LEAF"
class_name = "Leaf"
concurrency = { limit = 2 }

[[d1_databases]]
binding = "DB"
database_name = "db"
database_id = "db"
"""


def wrangler(main: str, date: str, flag: str) -> str:
    """Return the configuration of the worker of the rounds, the same in each language."""
    return f"""
name = "under-test"
main = "{main}"
compatibility_date = "{date}"
compatibility_flags = ["{flag}"]
{_BINDINGS}"""


@dataclass(frozen=True, slots=True)
class Script:
    """One instance: its workflow and id, what it does in order, whether it raises at the end."""

    workflow: str
    instance: str
    acts: list[Act]
    raises: bool
    padding: int = 0  # bytes that its params have besides

    @property
    def params(self) -> dict[str, Any]:
        """What `create` is given."""
        return {"acts": self.acts, "raises": self.raises, "padding": "x" * self.padding}

    def every_act(self) -> Iterator[Act]:
        """Yield all acts, whatever they are within."""
        return _every(self.acts)

    def awaited(self) -> list[str]:
        """Return the type of every event it waits for that no child sends."""
        events = (act["type"] for act in self.every_act() if act["act"] == "event")
        return [event for event in events if event != CHILD_EVENT]

    def limits(self) -> dict[str, int]:
        """Return how often each step that may fail is retried, by name."""
        return {act["name"]: act["limit"] for act in self.every_act() if "limit" in act}

    @property
    def children(self) -> list[Script]:
        """The instances that it creates."""
        made = [act["child"] for act in self.every_act() if act.get("child")]
        return [Script("leaf", child["id"], child["acts"], False) for child in made]

    @property
    def is_hopeless(self) -> bool:
        """Whether it takes its guest down whenever it runs."""
        return any(act["act"] == "exit" and act["times"] == ALWAYS for act in self.acts)

    @property
    def is_poison(self) -> bool:
        """Whether it takes guests down."""
        return any(act["act"] == "exit" or act.get("exits") for act in self.every_act())


def _every(acts: list[Act]) -> Iterator[Act]:
    for act in acts:
        yield act
        for branch in act.get("branches", []):
            yield from _every(branch)
        yield from _every(act.get("inside", []))


@dataclass(frozen=True, slots=True)
class Author:
    """Writes scripts. shared: all of them are about nested steps of one name."""

    random: Random
    features: frozenset[str] = FEATURES
    shared: bool = False

    def scripts(self, count: int) -> list[Script]:
        """Return `count` different scripts; at most one of them is poison."""
        poisoned = self.random.randrange(count) if self._happens("poison", 0.3) else -1
        return [self._script(f"i{n}", n == poisoned) for n in range(count)]

    def _happens(self, feature: str, chance: float) -> bool:
        return feature in self.features and self.random.random() < chance

    def _script(self, instance: str, poison: bool) -> Script:
        acts = self._acts(instance, "", depth=0)
        if poison:
            times = self.random.choice((1, 2, ALWAYS))
            acts.insert(self.random.randint(0, len(acts)), self._poison(instance, times))
        padding = self.random.choice((0, BIG_BYTES)) if self._happens("big", 0.2) else 0
        return Script("flow", instance, acts, self.random.random() < 0.25, padding)

    def _poison(self, instance: str, times: int) -> Act:
        if self.random.random() < 0.5:
            return {"act": "exit", "site": "exit", "times": times}
        return self._do("exits", f"{instance}.exits") | {
            "limit": UNLIMITED if times < ALWAYS else self.random.choice((0, 1, 2)),
            "fails": 0,
            "exits": times,
            "undo": False,
        }

    def _acts(self, instance: str, prefix: str, depth: int) -> list[Act]:
        count = self.random.randint(2, 5 if depth == 0 else 2)
        acts = []
        for n in range(count):
            acts += self._act(instance, f"{prefix}{n}", depth)
        return acts

    def _act(self, instance: str, site: str, depth: int) -> list[Act]:
        name = f"{instance}.{site}"
        if self.shared and self.random.random() < 0.6:
            return [self._parent(site, name)]
        kinds = ["work"] * 4 + ["sleep", "event", "fatal"]
        kinds += ["parallel"] * (2 if depth == 0 else 0)
        kinds += ["parent"] * 3 * ("nested" in self.features)
        kinds += ["stream"] * ("streams" in self.features)
        kinds += ["child"] * (depth == 0 and "children" in self.features)
        match self.random.choice(kinds):
            case "work":
                return [self._do(site, name)]
            case "parent":
                return [self._parent(site, name)]
            case "stream":
                return [{**self._tries(), "act": "stream", "site": site, "name": name}]
            case "fatal":
                return [{"act": "fatal", "site": site, "name": name}]
            case "sleep":
                act = self.random.choice(("sleep",) * 5 + ("sleep_until",))
                ms = self.random.choice((5, 60, 300, LONGEST_SLEEP_MS))
                if act == "sleep_until":
                    ms = 3_000  # what has passed when it is asked for is refused, and not recorded
                return [{"act": act, "site": site, "name": name, "ms": ms}]
            case "event":
                return [self._wait(site, name, self.random.choice(EVENT_TYPES))]
            case "child":
                return self._child(instance, site, name)
        branches = [
            self._acts(instance, f"{site}.{n}.", depth + 1)
            for n in range(self.random.randint(2, 3))
        ]
        return [{"act": "parallel", "site": site, "branches": branches}]

    def _wait(self, site: str, name: str, event: str) -> Act:
        timeout = self.random.choice(("1 hour", "1 hour", "3 seconds"))
        return {"act": "event", "site": site, "name": name, "type": event, "timeout": timeout}

    def _tries(self) -> Act:
        limit = self.random.choice((UNLIMITED, UNLIMITED, 0, 1, 2, 3))
        fails = self.random.choice((0, 0, 0, 1, 2))
        if limit != UNLIMITED and self.random.random() < 0.5:
            fails = ALWAYS
        slow = self.random.random() < 0.3
        ms = self.random.randint(20, 150) if slow else 0
        return {"limit": limit, "fails": fails, "ms": ms}

    def _do(self, site: str, name: str) -> Act:
        shape = "text"
        if self._happens("big", 0.15):
            shape = self.random.choice(("long", "bytes"))
        if self._happens("records", 0.1):
            shape = "record"
        if self._happens("clones", 0.1):
            shape = "clone"
        return {
            "act": "do",
            "site": site,
            "name": name,
            **self._tries(),
            "undo": self.random.random() < 0.5,  # it has a rollback handler
            "inside": [],
            "shape": shape,
            "busy_ms": self.random.choice((50, 400)) if self._happens("computing", 0.07) else 0,
            "row": self._happens("rows", 0.2),
        }

    def _child(self, instance: str, site: str, name: str) -> list[Act]:
        """Return a step that creates an instance, and perhaps a wait for what it sends."""
        child = f"{instance}-{site}"
        acts = [self._do("0", f"{child}.0") | {"limit": UNLIMITED, "fails": 0}]
        if self.random.random() < 0.5:
            acts.append({"act": "sleep", "site": "1", "name": f"{child}.1", "ms": 60})
        tells = {"limit": UNLIMITED, "fails": 0, "tells": {"to": instance, "type": CHILD_EVENT}}
        acts.append(self._do("2", f"{child}.2") | tells)
        create = self._do(site, name) | {"child": {"id": child, "acts": acts}}
        if self.random.random() < 0.5:
            return [create]
        return [create, self._wait(f"{site}w", f"{name}w", CHILD_EVENT)]

    def _parent(self, site: str, name: str) -> Act:
        """Return a step that calls steps, up to three levels of them."""
        shared = self.shared or ("shared" in self.features and self.random.random() < 0.5)
        inside = self._inside(f"{site}/", f"{name}/", shared, level=1)
        return self._do(site, name) | {"inside": inside, "shape": "text"}

    def _inside(self, site: str, name: str, shared: bool, level: int) -> list[Act]:
        """Return calls of steps in a callback, one after the other or all at once.

        Only calls that always come in the same order have names in common.
        """
        if self.random.random() < 0.4:
            one = self._nested(f"{site}0", name + "0", shared, level)
            names = {"name": one["name"]} if shared else {}
            branches = [[one]] + [
                [self._nested(f"{site}{n}", f"{name}{n}", shared, level) | names]
                for n in range(1, self.random.randint(2, 3))
            ]
            return [{"act": "parallel", "site": f"{site}all", "branches": branches}]
        acts = []
        for n in range(self.random.randint(1, 3)):
            acts.append(self._nested(f"{site}{n}", f"{name}{n}", shared, level))
            if self.random.random() < 0.1:
                nap = {"act": "sleep", "site": f"{site}{n}nap", "name": f"{name}{n}nap"}
                acts.append(nap | {"ms": self.random.choice((5, 200))})
        return acts

    def _nested(self, site: str, name: str, shared: bool, level: int) -> Act:
        chosen = self.random.choice(SHARED_NAMES) if shared else name
        fails = self.random.choice((0, 0, 0, 1))
        act = self._do(site, chosen)
        act |= {"limit": UNLIMITED, "fails": fails, "undo": False, "row": False}
        if level < 3 and self.random.random() < 0.35:
            act["inside"] = self._inside(f"{site}/", f"{name}/", shared, level + 1)
            act["shape"] = "text"
        return act
