"""Nested calls that the official engine may give each other's results. Pure.

It counts the calls of a name over the whole run, and a replay does not run the callbacks of
finished steps. So once a step that has called a name in its callback has ended, a replay gives what
it got to whoever calls that name next. Here each call gets its own result; people are told.
Source: docs/platform/workflows.md, "Steps in callbacks".
"""

from __future__ import annotations

from emulator.engine.decide.step_call import StepCall
from emulator.engine.model.instance import Instance


def mixed_with(instance: Instance, call: StepCall) -> str:
    """Return the key of the step that called this name before, if a replay may mix the two up.

    Not one whose callback runs again wherever this call is made.
    """
    other = instance.places.first_caller(call.kind.value, call.name)
    around = call.parent
    while around and around != other:
        around = instance.steps[around].parent if around in instance.steps else ""
    return "" if around == other or other not in instance.steps else other


def warning(instance: Instance, call: StepCall, other: str) -> str:
    """Return what the person at the terminal is told of a call and the one that came before it."""
    where = f"{call.line}: " if call.line else ""
    step = instance.steps.get(call.parent)
    caller = f'the step "{step.name}"' if step is not None else "run()"
    return (
        f'{where}{instance.workflow}: "{call.name}" is called in the step'
        f' "{instance.steps[other].name}" and in {caller}. Here each call gets its own result.'
        " Cloudflare counts the calls of a name over the whole run, and a replay leaves out those"
        " in steps that are done: the second call could get the result of the first. Give them"
        " different names"
    )
