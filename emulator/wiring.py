"""Composition: a `Config` and a state directory -> bindings, engine and runner. No behaviour.

The layers below declare what they need as small protocols; here they are handed to one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bindings.ai import Ai, Rule
from bindings.binding import Binding
from bindings.d1 import D1
from bindings.vectorize import Vectorize
from bindings.workflows import WorkflowBinding
from emulator.clock import Clock
from emulator.config.model import AiRule, Config, IndexSettings
from emulator.engine.control import Control
from emulator.engine.endings import Definition
from emulator.engine.engine import Engine
from emulator.engine.journal import Journal
from emulator.engine.steps import STEP_LIMIT
from emulator.protocol import values
from emulator.runner.runner import WorkerSpec
from emulator.state import State

# The compatibility date from which a NonRetryableError keeps its own message; workflows.md 2.11.
PLAIN_NON_RETRYABLE_FROM = "2026-05-14"
PLAIN_NON_RETRYABLE_FLAG = "workflows_preserve_non_retryable_error_message"


def open_engine(
    config: Config, state: State, clock: Clock, report: Callable[[str], None]
) -> Engine:
    """Return the engine on the project's journal. Raises StateError."""
    synchronous = "FULL" if config.settings.durability == "full" else "NORMAL"
    return Engine(
        Journal.open(state.journal, synchronous),  # type: ignore[arg-type]
        clock,
        concurrency=config.settings.concurrency,
        grace_ms=config.settings.reload_grace_ms,
        report=report,
    )


def definitions(config: Config) -> list[Definition]:
    """Return the workflows this project owns."""
    plain = PLAIN_NON_RETRYABLE_FLAG in config.compatibility_flags or (
        config.compatibility_date >= PLAIN_NON_RETRYABLE_FROM
        and f"no_{PLAIN_NON_RETRYABLE_FLAG}" not in config.compatibility_flags
    )
    return [
        Definition(workflow.name, workflow.class_name, workflow.step_limit or STEP_LIMIT, plain)
        for workflow in config.workflows
        if workflow.script_name in (None, config.name)
    ]


def worker_spec(config: Config) -> WorkerSpec:
    """Return what a guest must know to load the user's code."""
    kinds: dict[str, dict[str, str]] = {}
    for workflow in config.workflows:
        if workflow.script_name in (None, config.name):
            kinds[workflow.binding] = {"kind": "workflow"}
        else:
            friendly = f"Workflow of the worker {workflow.script_name}"
            kinds[workflow.binding] = {"kind": "unsupported", "friendly": friendly}
    kinds |= {database.binding: {"kind": "d1"} for database in config.d1_databases}
    kinds |= {index.binding: {"kind": "vectorize"} for index in config.vectorize}
    if config.ai_binding is not None:
        kinds[config.ai_binding] = {"kind": "ai"}
    for other in config.unsupported:
        kinds[other.binding] = {"kind": "unsupported", "friendly": other.friendly}
    return WorkerSpec(
        project_dir=config.project_dir,
        main=config.main,
        compatibility_date=config.compatibility_date,
        compatibility_flags=config.compatibility_flags,
        bindings=kinds,
        vars=config.vars,
    )


@dataclass
class BindingPool:
    """The open bindings of a project, shared by generations as long as their settings stay."""

    state: State
    control: Control
    announce: Callable[[str], None]
    _open: dict[tuple[Any, ...], Binding] = field(default_factory=dict)

    def bindings(self, config: Config) -> Mapping[str, Binding]:
        """Return the bindings of `config` by name; none of them touches a file before its use."""
        named: dict[str, Binding] = {}
        for workflow in config.workflows:
            named[workflow.binding] = WorkflowBinding(workflow.name, self.control, values.encode)
        for database in config.d1_databases:
            path = self.state.d1_path(database.local_id)
            named[database.binding] = self._shared(("d1", path), lambda path=path: D1(path))
        for index in config.vectorize:
            settings = config.settings.indexes.get(index.index_name, IndexSettings())
            named[index.binding] = self._index(index.index_name, settings)
        if config.ai_binding is not None:
            rules = [_rule(rule) for rule in config.settings.ai_rules]
            strict = config.settings.ai_strict
            key = ("ai", repr(config.settings.ai_rules), strict)
            named[config.ai_binding] = self._shared(key, lambda: Ai(rules, strict=strict))
        return named

    def _index(self, name: str, settings: IndexSettings) -> Binding:
        path = self.state.vectorize_path(name)
        return self._shared(
            ("vectorize", path, repr(settings)),
            lambda: Vectorize(
                path,
                name,
                dimensions=settings.dimensions,
                metric=settings.metric,
                metadata_indexes=settings.metadata_indexes,
                announce=self.announce,
            ),
        )

    def _shared(self, key: tuple[Any, ...], make: Callable[[], Binding]) -> Binding:
        if key not in self._open:
            self._open[key] = make()
        return self._open[key]

    async def close(self) -> None:
        """Close every binding."""
        for binding in self._open.values():
            await binding.close()
        self._open.clear()


def _rule(rule: AiRule) -> Rule:
    return Rule(
        model=rule.model,
        task=rule.task,
        prompt=rule.prompt,
        text=rule.text,
        json=rule.json,
        sequence=rule.sequence,
        error=rule.error,
        delay_ms=rule.delay_ms,
    )


def guest_interpreter(config: Config, chosen: Path | None, own: Path) -> Path:
    """Return the Python that runs the guest: `--python`, the project's own, else ours.

    `.venv-workers` is what pywrangler makes; `.venv` what people make.
    """
    if chosen is not None:
        return chosen
    for folder in (".venv", ".venv-workers"):
        candidate = config.project_dir / folder / "bin" / "python"
        if candidate.exists():
            return candidate
    return own
