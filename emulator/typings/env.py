"""The text of `Env`: what a worker has on `env`, in all its environments.

Source: https://developers.cloudflare.com/workers/wrangler/commands/general/#types.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.config.model import Bound, Config
from emulator.kinds.registry import kind_named
from emulator.kinds.workflow import Workflow
from emulator.typings.params import params_of

UNKNOWN = "JsProxy"
_HEAD = '''"""What the worker has on env. Written by `groundfog types`: do not edit."""

from typing import Any, Literal

from pyodide.ffi import JsProxy
from worker_types import *
'''


@dataclass(slots=True)
class _Member:
    types: dict[str, None] = field(default_factory=dict)  # in the order of the environments
    environments: list[str] = field(default_factory=list)


class EnvText:
    """Collects the members of all environments; `text` is the module."""

    def __init__(self, interface: str, main: Path | None, *, strict_vars: bool) -> None:
        self._interface = interface
        self._main = main
        self._strict = strict_vars
        self._members: dict[str, _Member] = {}
        self._classes: list[str] = []
        self._imports: dict[str, None] = {}
        self._environments: list[str] = []

    def add(self, environment: str, config: Config) -> None:
        """Add what one environment has; "" is the top level."""
        self._environments.append(environment)
        for bound in config.bindings:
            if bound.name:
                self._member(environment, bound.name, self._type_of(bound))
        for name, value in config.vars.items():
            secret = name in config.secret_names
            shown = "str" if secret else self._type_of_value(value, name)
            self._member(environment, name, shown)

    def text(self) -> str:
        """Return the source of the module."""
        imports = "".join(f"{line}\n" for line in self._imports)
        lines = [*self._lines()] or ["    pass"]
        body = "\n".join([f"class {self._interface}:", *lines])
        classes = "".join(f"{each}\n\n" for each in self._classes)
        return f"{_HEAD}{imports}\n{classes}{body}\n"

    def _lines(self) -> Iterator[str]:
        for name, member in self._members.items():
            missing = [each for each in self._environments if each not in member.environments]
            where = f"  # not in: {', '.join(each or 'the top level' for each in missing)}"
            if name.isidentifier() and not keyword.iskeyword(name):
                yield f"    {name}: {' | '.join(member.types)}{where if missing else ''}"
            else:
                yield f"    # {name}: {' | '.join(member.types)} (use getattr)"

    def _member(self, environment: str, name: str, shown: str) -> None:
        member = self._members.setdefault(name, _Member())
        member.types[shown] = None
        member.environments.append(environment)

    def _type_of(self, bound: Bound[Any]) -> str:
        kind = kind_named(bound.kind)
        shown = kind.typed if kind is not None else UNKNOWN
        if isinstance(bound.record, Workflow) and self._main is not None:
            params = params_of(self._main, bound.record.definition.class_name)
            if params is not None:
                self._imports.update(dict.fromkeys(params.imports))
                return f"{shown}[{params.text}]"
        return shown

    def _type_of_value(self, value: Any, name: str) -> str:
        """Return the type of a variable, a literal if it is plain and they are wanted."""
        match value:
            case None:
                return "None"
            case dict():
                return self._class_of(value, name)
            case list():
                types = dict.fromkeys(self._type_of_value(each, f"{name}_item") for each in value)
                return f"JsonArray[{' | '.join(types) or 'Any'}]"
            case bool() | int() | str() if self._strict:
                return f"Literal[{value!r}]"
            case _:
                return type(value).__name__

    def _class_of(self, value: Mapping[str, Any], name: str) -> str:
        lines = [
            f"    {key}: {self._type_of_value(each, f'{name}_{key}')}"
            for key, each in value.items()
            if key.isidentifier() and not keyword.iskeyword(key)
        ]
        shown = f"_{name}"
        while any(each.startswith(f"class {shown}(") for each in self._classes):
            shown += "_"
        self._classes.append("\n".join([f"class {shown}(JsonObject):", *(lines or ["    ..."])]))
        return shown
