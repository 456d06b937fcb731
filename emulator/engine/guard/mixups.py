"""Nested calls whose results the official engine may mix up. Pure.

It counts the calls of a name over the whole run, and a replay does not run the callbacks of
finished steps. So after a step with a call of that name in its callback has ended, a replay gives
the result to the next call of the name. Here each call gets its own result, and a line warns.
Source: docs/platform/workflows.md, "Steps in callbacks".
"""

from __future__ import annotations

from emulator.engine.decide.step_call import StepCall
from emulator.engine.model.instance import Instance


def mixed_with(instance: Instance, call: StepCall) -> str:
    """Return the key of the step with an earlier call of this name, if a replay may mix them up.

    It is not one whose callback always runs again when this call is made.
    """
    other = instance.places.first_caller(call.kind.value, call.name)
    around = call.parent
    while around and around != other:
        around = instance.steps[around].parent if around in instance.steps else ""
    return "" if around == other or other not in instance.steps else other


def warning(instance: Instance, call: StepCall, other: str) -> str:
    """Return the message about a call and the earlier call."""
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
