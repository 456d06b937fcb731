"""Which recorded step answers which call, if callbacks of steps have called steps.

A replay does not run the callbacks of finished steps, so their calls cannot be counted over the
whole run: a call belongs to its caller. A **place** is the caller, the kind, the name, and the
number among that caller's calls of this kind and name. The caller is `run()`, or one step's
callback. Each attempt of a callback counts from 1 again, and gets the results of earlier attempts.

`fold.py` updates it, `identity.py` asks it. It is empty before the first nested step: until then
the key of a step shows its place.
"""

from __future__ import annotations

from msgspec import Struct, field

from emulator.engine.model.step_key import StepKey

Place = tuple[str, str, int]  # kind, name, nth
SHARED = "*"  # the caller of shared dependencies that callbacks have asked for


class _Name(Struct):
    """All steps of one kind and name since the first nested step of the instance.

    highest: the highest count in a key. first_caller: key of the step whose callback first called
    one. unplaced: nested steps recorded without their place, as in journals from before 2026-09,
    where one count was for the whole run.
    """

    highest: int = 0
    first_caller: str = ""
    unplaced: int = 0


class Places(Struct):
    """The places of one instance's steps."""

    _keys: dict[str, dict[Place, str]] = field(default_factory=dict)  # by key of the caller
    _names: dict[tuple[str, str], _Name] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether a callback has called a step."""
        return bool(self._keys)

    def key_at(self, caller: str, place: Place) -> str | None:
        """Return the key of the step at a place; `caller` is empty for `run()`."""
        return self._keys.get(caller, {}).get(place)

    def called_by(self, caller: str) -> list[str]:
        """Return the keys of the steps that a caller's calls get."""
        return list(self._keys.get(caller, {}).values())

    def highest(self, kind: str, name: str) -> int:
        """Return the highest count of a kind and name in the keys seen here."""
        known = self._names.get((kind, name))
        return 0 if known is None else known.highest

    def first_caller(self, kind: str, name: str) -> str:
        """Return the key of the step whose callback first called this, or nothing."""
        known = self._names.get((kind, name))
        return "" if known is None else known.first_caller

    def add(self, key: str, caller: str, nth: int) -> int:
        """Add a step that has begun; return its `nth`, which is 0 in old journals.

        In an old journal, the n-th step of a kind and name for a caller is its n-th call. For
        `run()`, nested steps are not counted, although they had the same count there.
        """
        of = StepKey.of(key)
        kind, count, name = of.kind.value, of.count, of.name
        known = self._names.setdefault((kind, name), _Name())
        known.highest = max(known.highest, count)
        steps = self._keys.setdefault(caller, {})
        if caller:
            known.first_caller = known.first_caller or caller
        if not nth and caller:
            known.unplaced += 1
            nth = 1
            while (kind, name, nth) in steps:
                nth += 1
        elif not nth:
            nth = max(1, count - known.unplaced)
        steps[kind, name, nth] = key
        return nth

    def free(self, caller: str, place: Place) -> None:
        """Let the next call at a place begin a new step."""
        self._keys.get(caller, {}).pop(place, None)

    def rename(self, old: str, new: str, caller: str, place: Place) -> None:
        """Give a step another key, and another place with the same caller."""
        if old in self._keys:
            self._keys[new] = self._keys.pop(old)
        for known in self._names.values():
            if known.first_caller == old:
                known.first_caller = new
        steps = self._keys.get(caller, {})
        found = next((at for at, key in steps.items() if key == old), None)
        if found is not None:
            del steps[found]
        if found is not None or not caller:
            self.add(new, caller, place[2])
