"""The guard of one run: collects what a guarded replay asks for, and says whether the code fits.

The step calls of the run wait until that is known. `comparison.py` compares, `held.py` says what
follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.engine.decide.step_config import InvalidStepConfig, resolve_config
from emulator.engine.guard.comparison import Asked, ReplayReport, compare, pending_change
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.instance import Instance
from emulator.engine.model.step_key import StepKind
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import Replayed, StepBegin

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import ConfigJson

_STANDS = ("rested", "ended", "restless")


class Guard:
    """What one guarded run has reported so far.

    begun: its waiting step calls, in order. replay: what it did, after it rests or when nobody can
    wait for that.
    """

    def __init__(self, instance: Instance) -> None:
        self.begun: list[StepBegin] = []
        self.replay: ReplayReport | None = None
        self._steps = [step for step in instance.steps.values() if not step.parent]
        self._open = {step.place: step for step in instance.open.values() if not step.parent}
        self._is_through = not any(step.has_ended for step in self._steps)

    def hear_step(self, message: StepBegin, now_ms: int) -> None:
        """Note a call of a step that is not in the history."""
        self.begun.append(message)
        asked = _asked(message)
        step = self._open.get(asked.place)
        if step is not None and pending_change(step, asked, now_ms) is None:
            del self._open[asked.place]

    def hear(self, message: Replayed) -> None:
        """Note a report of the run. Raises ProtocolError for a report that breaks the rules."""
        if message.state == "through":
            self._is_through = True
        elif message.state in _STANDS:
            self.replay = self._told(message)
        else:
            raise ProtocolError(f"replayed.state is {message.state!r}")

    @property
    def is_decided(self) -> bool:
        """Whether it is known that the code fits, or does not fit.

        It fits as soon as everything recorded has been asked for. So a run that does I/O outside
        steps need not rest.
        """
        return self.replay is not None or (self._is_through and not self._open)

    def divergence(self, now_ms: int) -> Divergence | None:
        """Return how the code differs from the record; None if it fits."""
        return None if self.replay is None else compare(self._steps, self.replay, now_ms)

    def other_configs(self) -> list[str]:
        """Return the names of unfinished steps whose configuration differs from the record."""
        begun = {asked.place: asked for asked in map(_asked, self.begun)}
        return [
            step.name
            for step in self._steps
            if step.kind is StepKind.DO
            and step.place in begun
            and _config(begun[step.place]) not in (None, step.config)
        ]

    def _told(self, message: Replayed) -> ReplayReport:
        begun = {each.call: each for each in self.begun}
        asked = []
        try:
            for kind, name, count, line, call in message.asked:
                if call:
                    asked.append(_asked(begun[call]))
                else:
                    asked.append(Asked(str(kind), str(name), int(count), str(line)))
            declared = {str(name): str(line) for name, line in message.declared}
        except (TypeError, ValueError, KeyError) as error:
            raise ProtocolError(f"replayed.asked is not a list of steps: {error!r}") from None
        return ReplayReport(asked, message.state, message.where, declared)


def _asked(begun: StepBegin) -> Asked:
    return Asked(begun.kind, begun.name, begun.count, begun.line, begun.options)


def _config(asked: Asked) -> ConfigJson | None:
    try:
        return resolve_config((asked.options or {}).get("config")).config
    except InvalidStepConfig:
        return None
