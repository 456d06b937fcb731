"""What esbuild keeps between builds of one format, with the functions that we add to it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

from emulator.bundling import aliases, module_rules, node_builtins, node_polyfills
from emulator.bundling.hooks import Ask, Hooks
from emulator.bundling.module_rules import Collected, Place
from emulator.bundling.node_builtins import Mode
from emulator.bundling.node_polyfills import Find
from emulator.bundling.options import Format
from emulator.bundling.rules import Rules
from emulator.bundling.service import Message
from emulator.bundling.unbundled import module_root
from emulator.bundling.unenv import Polyfills
from emulator.config.model import Config


class Node(Struct, frozen=True):
    """How much of Node.js the worker has.

    wrangler: the folder of its package. polyfills: None if the worker needs none from the start.
    """

    mode: Mode
    wrangler: Path | None
    polyfills: Polyfills | None
    find_polyfills: Find


class Context(Struct):
    """One context. `result` is what esbuild told at the end of the last build.

    warned: builtins of Node.js that the worker may not have, and the files that import them.
    injected: what runs before everything else.
    """

    key: int
    format: Format
    hooks: Hooks
    collected: Collected = field(default_factory=Collected)
    warned: dict[str, list[str]] = field(default_factory=dict)
    injected: list[str] = field(default_factory=list)
    result: Message = field(default_factory=dict)

    async def answer(self, request: Message) -> Message:
        """Answer what esbuild asks during a build of this context."""
        if request["command"] == "on-end":
            self.result = request
        if request["command"] in ("on-start", "on-end"):
            return {"errors": [], "warnings": []}
        return await self.hooks.answer(request)


def make_context(
    key: int, format: Format, ask: Ask, config: Config, rules: Rules, node: Node
) -> Context:
    """Return a context with wrangler's rules for imports, in wrangler's order."""
    context = Context(key, format, Hooks(ask, key))
    bundling = config.bundling
    aliases.add_hooks(context.hooks, bundling.alias, config.project_dir)
    place = Place(
        context.collected,
        module_root(config) if bundling.has_additional_modules else None,
        bundling.preserve_file_names,
        as_globals=format == "iife",
    )
    module_rules.add_hooks(context.hooks, rules, place)
    _add_builtins(context, node)
    return context


def _add_builtins(context: Context, node: Node) -> None:
    if node.mode != "v2":
        node_builtins.add_prefixed(context.hooks, node.mode, context.warned)
        return
    node_builtins.add_required(context.hooks)
    node_polyfills.add_debug(context.hooks, node.wrangler)
    if node.polyfills is not None:
        node_polyfills.add_hooks(context.hooks, node.polyfills)
        context.injected += node_polyfills.injected(node.polyfills)
    else:
        node_polyfills.add_late_hooks(context.hooks, node.find_polyfills)
    node_builtins.add_external(context.hooks)
