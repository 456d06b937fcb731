"""Faults of `groundfog dev`, as `[[faults]]` of groundfog.toml declares them."""

from __future__ import annotations

from collections.abc import Mapping

from bindings.binding import Binding
from emulator.config.model import Config
from emulator.errors import UsageError
from emulator.generations import Loading, ToLoad
from emulator.runner.guest_source import WorkerSpec
from emulator.testing.faults import Fault, Faults, Tap


def loading_with_faults(config: Config) -> tuple[Loading, str]:
    """Return what puts faults before the bindings of a worker, and the faults in words.

    Calls are counted from the start on, whatever is reloaded. Raises UsageError for a binding that
    is not there.
    """
    rules = config.settings.faults
    names = sorted(bound.name for bound in config.bindings if bound.name)
    for rule in rules:
        if rule.binding not in names:
            there = ", ".join(names) or "none"
            raise UsageError(
                f"groundfog.toml: a fault is for the binding {rule.binding}; there are: {there}."
            )
    faults = Faults(keeps=False)
    faults.declared = [
        Fault(
            rule.binding,
            rule.how,
            rule.nth,
            rule.method,
            message=rule.error.removeprefix("D1_ERROR: "),
            delay_ms=rule.delay_ms,
            times=rule.times,
        )
        for rule in rules
    ]
    faulty = {rule.binding for rule in rules}

    def loading(spec: WorkerSpec, bindings: Mapping[str, Binding]) -> ToLoad:
        taps: dict[str, Binding] = {
            name: Tap(name, bindings[name], faults) for name in faulty & bindings.keys()
        }
        return spec, {**bindings, **taps}

    return loading, "; ".join(fault.shown for fault in faults.declared)
