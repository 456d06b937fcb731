"""What esbuild keeps between builds of one format, with the functions that we add to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.bundling import aliases, module_rules, node_builtins
from emulator.bundling.hooks import Ask, Hooks
from emulator.bundling.module_rules import Collected, Place, Rules
from emulator.bundling.node_builtins import Mode
from emulator.bundling.options import Format
from emulator.bundling.service import Message
from emulator.bundling.unbundled import module_root
from emulator.config.model import Config


@dataclass(slots=True)
class Context:
    """One context. `result` is what esbuild told at the end of the last build.

    warned: builtins of Node.js that the worker may not have, and the files that import them.
    """

    key: int
    format: Format
    hooks: Hooks
    collected: Collected = field(default_factory=Collected)
    warned: dict[str, list[str]] = field(default_factory=dict)
    result: Message = field(default_factory=dict)

    async def answer(self, request: Message) -> Message:
        """Answer what esbuild asks during a build of this context."""
        if request["command"] == "on-end":
            self.result = request
        if request["command"] in ("on-start", "on-end"):
            return {"errors": [], "warnings": []}
        return await self.hooks.answer(request)


def make_context(
    key: int, format: Format, ask: Ask, config: Config, rules: Rules, mode: Mode
) -> Context:
    """Return a context with wrangler's rules for imports, in wrangler's order."""
    context = Context(key, format, Hooks(ask, key))
    bundling = config.bundling
    aliases.add_hooks(context.hooks, bundling.alias, config.project_dir)
    place = Place(
        context.collected,
        module_root(config) if bundling.find_additional_modules else None,
        bundling.preserve_file_names,
        as_globals=format == "iife",
    )
    module_rules.add_hooks(context.hooks, rules, place)
    node_builtins.add_hooks(context.hooks, mode, context.warned)
    return context
