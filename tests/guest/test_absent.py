"""What Groundfog does not emulate yet says so by the name that user code wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest.test_bindings import seen

TEXT = "Groundfog does not emulate it yet, or there is no such name. What there is: docs/python.md."


def not_in(module: str, name: str, also: str = "") -> str:
    """What `from module import name` raises."""
    return f"ImportError: cannot import name {name!r} from {module!r}: {TEXT}{also}"


def no_module(name: str) -> str:
    """What `import name` raises."""
    return f"ModuleNotFoundError: No module named {name!r}: {TEXT}"


def no_name(name: str) -> str:
    """What using an attribute raises."""
    return f"AttributeError: {name} is not available: {TEXT}"


def no_attribute(kind: str, name: str) -> str:
    """What using an attribute of an object raises."""
    return f"AttributeError: {kind!r} object has no attribute {name!r}: {TEXT}"


ABSENT = {
    "from js import Symbol": not_in("js", "Symbol"),
    "from js import JSON, Function": not_in("js", "Function"),
    "import js; js.eval": no_name("js.eval"),
    "from js import Response; Response.nothing": no_name("js.Response.nothing"),
    "from js import Object; Object.freeze({})": no_name("js.Object.freeze"),
    "from js import JSON; JSON.rawJSON('1')": no_name("js.JSON.rawJSON"),
    "from js import console; console.table([])": no_attribute("console", "table"),
    "from workers import Response; Response('').arrayBuffer": no_attribute(
        "Response", "arrayBuffer"
    ),
    "from workers import Request; Request('http://x').signal": no_attribute("Request", "signal"),
    "import js.eval": no_module("js.eval"),
    "from pyodide import code": not_in("pyodide", "code"),
    "from pyodide.ffi import JsWeakRef": not_in("pyodide.ffi", "JsWeakRef"),
    "import pyodide.ffi; pyodide.ffi.JsWeakRef": no_name("pyodide.ffi.JsWeakRef"),
    "from pyodide.code import run_js": no_module("pyodide.code"),
    "import workers.body": no_module("workers.body"),
    "import workers; workers.nothing": no_name("workers.nothing"),
    "from workers.rpc import _FetcherWrapper": not_in("workers.rpc", "_FetcherWrapper"),
    "from workers import Respons": not_in("workers", "Respons", " Did you mean 'Response'?"),
    "import pyodide_js": no_module("pyodide_js"),
}


def test_absent_names_say_that_groundfog_does_not_emulate_them(tmp_path: Path) -> None:
    code = f"""
out = {{}}
for text in {list(ABSENT)!r}:
    try:
        exec(text, {{}})
    except Exception as error:
        out[text] = f"{{type(error).__name__}}: {{error}}"
"""
    assert seen(tmp_path, code, {}) == ABSENT


def test_code_that_looks_whether_a_name_is_there_finds_that_it_is_not(tmp_path: Path) -> None:
    code = """
import importlib, js, workers
from workers import Response
out = [hasattr(js, "WebAssembly"), getattr(js, "WebAssembly", None), hasattr(workers, "agsi"),
       hasattr(Response, "make"), hasattr(Response("x"), "js_body"), hasattr(workers, "env")]
try:
    from js import Worker
except ImportError:
    out.append("ImportError")
"""
    assert seen(tmp_path, code, {}) == [False, None, False, False, False, True, "ImportError"]


@pytest.mark.parametrize("name", ["asgi", "micropip"])
def test_a_module_of_the_users_own_by_such_a_name_wins(tmp_path: Path, name: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / f"{name}.py").write_text("WHOSE = 'mine'\n")
    assert seen(tmp_path, f"import {name}\nout = {name}.WHOSE", {}) == "mine"
