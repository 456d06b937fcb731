"""Whether loaded code has the class of each configured workflow, and what to say if it has not."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.config.model import Config, Problem
from emulator.config.problems import listed, nearest, quoted
from emulator.config.text_files import shown_path
from emulator.kinds.workflow import Workflow


def check_exports(
    config: Config, exports: Mapping[str, str], other_classes: Mapping[str, str]
) -> tuple[Problem, ...]:
    """Return a problem for every workflow whose class the loaded code does not define.

    `exports`: each workflow class of the main module and where it stands, `"OrderWorkflow"` ->
    `"src/entry.py:8"`. `other_classes`: its other classes.
    """
    return tuple(
        _missing_class(config, bound.record, exports, other_classes)
        for bound in config.bound(Workflow)
        if bound.record.definition.class_name not in exports
    )


def _declaration(config: Config, name: str) -> str:
    if config.is_python:
        return f"class {name}(WorkflowEntrypoint)"
    return f"export class {name} extends WorkflowEntrypoint"


def _missing_class(
    config: Config,
    workflow: Workflow,
    exports: Mapping[str, str],
    other_classes: Mapping[str, str],
) -> Problem:
    wanted = workflow.definition.class_name
    main = shown_path(config.main, config.project_dir)
    found = f"workflows[{workflow.index}].class_name is {quoted(wanted)}"
    if wanted in other_classes:
        return Problem(
            workflow.where,
            f"{found}, but that class is not a subclass of WorkflowEntrypoint.",
            f"It stands at {other_classes[wanted]}. "
            f"Write {_declaration(config, wanted)} and give it a run method.",
        )
    text = f"{found}, but {main} defines no such class."
    if not exports:
        fix = f"It defines no workflow class at all. Add {_declaration(config, wanted)}."
        return Problem(workflow.where, text, fix)
    defined = listed(f"{name} ({where})" for name, where in sorted(exports.items()))
    close = nearest(wanted, exports) if len(exports) > 1 else None
    advice = f'Did you mean "{close}"?' if close else "Rename one of the two."
    if len(exports) > 1 and not close:
        advice = "Use one of these names, or add the class."
    return Problem(workflow.where, text, f"It defines {defined}. {advice}")
