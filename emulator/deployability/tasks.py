"""Work that is started and waited for by nobody: it may be cut off after the response."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from emulator.deployability.source import Source
from emulator.findings import Finding

_STARTERS = ("asyncio.create_task", "asyncio.ensure_future")


def unregistered(source: Source) -> Iterator[Finding]:
    """Yield the tasks whose result is thrown away."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if source.name(node.value.func) in _STARTERS:
                text = f"{ast.unparse(node.value.func)}() starts work that nobody waits for"
                advice = (
                    "Deployed, it may end with the response. Give it to self.ctx.waitUntil() or "
                    "workers.wait_until()."
                )
                yield source.warning(node, "task", text, advice)
