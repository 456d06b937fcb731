"""What a module does when it is loaded, where Workers allow no chance and no I/O.

Source: docs/platform/hosting.md, "Global scope".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from emulator.deployability.source import Source
from emulator.findings import Finding
from emulator.python_source import executed_when_loaded

CHANCE = frozenset({"uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getrandom", "js.crypto"})
CHANCE_MODULES = ("random.", "secrets.", "numpy.random.", "js.crypto.")
SEEDED = ("numpy.random.default_rng", "numpy.random.RandomState", "random.Random", "random.seed")
IO = frozenset(
    """
    workers.fetch js.fetch pyodide.http.pyfetch urllib.request.urlopen js.setTimeout js.setInterval
    pyodide.ffi.run_sync asyncio.run workers.wait_until workers.waitUntil
    """.split()
)
IO_MODULES = ("requests.", "httpx.", "urllib3.", "aiohttp.")
_CLASSES = ("httpx.Timeout", "httpx.Limits", "requests.adapters", "httpx.URL", "httpx.Headers")

_CHANCE = "Deployed, there is no chance while a worker is loaded. Ask for it in a handler."
_IO = "Deployed, there is no I/O while a worker is loaded. Do it in a handler."


def at_import(source: Source) -> Iterator[Finding]:
    """Yield what a module does while it is loaded, also in its own functions that it calls."""
    functions = {
        node.name: node
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    waiting: list[ast.AST] = [*executed_when_loaded(source.tree)]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, ast.Call):
            continue
        name = source.name(node.func)
        if name in functions and name not in seen:
            seen.add(name)
            called = functions[name]
            if isinstance(called, ast.FunctionDef):  # an async function is not executed by a call
                waiting += ast.walk(called)
            continue
        yield from _found(source, name, node)


def _found(source: Source, name: str, call: ast.Call) -> Iterator[Finding]:
    shown = f"{ast.unparse(call.func)}() is called while the module is loaded"
    if name in SEEDED and call.args:
        return
    if name in CHANCE or name.startswith(CHANCE_MODULES):
        yield source.warning(call, "import-chance", shown, _CHANCE)
    elif name in IO or (name.startswith(IO_MODULES) and not name.startswith(_CLASSES)):
        if name.rpartition(".")[2][:1].islower():  # a class, such as a client, is only made
            yield source.warning(call, "import-io", shown, _IO)
    elif name.startswith("workers.env.") and name.count(".") > 2:
        yield source.warning(call, "import-io", shown, _IO)
