"""The KV client in a real guest, on a real namespace: every call as workerd's own client has it."""

from __future__ import annotations

import json
from pathlib import Path

from bindings.kv.kv import Kv
from emulator.clock import SystemClock
from tests.bindings.kv.calls import CALLS
from tests.guest.test_bindings import seen

EACH = """
from array import array
from js import ReadableStream
ODD = {
    "bytes": b"\\x00\\xff", "number": 1.5, "true": True, "object": {}, "floats": array("f", [1.5]),
}
async def shown(value):
    if isinstance(value, memoryview):
        return {"bytes": list(value)}
    if hasattr(value, "getReader"):
        return {"stream": (await value.to_bytes()).decode()}
    return value
out = []
for method, args, odd, _ in CALLS:
    if odd == "stream":
        args = [args[0], Response("streamed").body, *args[1:]]
    elif odd:
        args = [args[0], ODD[odd], *args[1:]]
    try:
        out.append(await shown(await getattr(env.KV, method)(*args)))
    except JsException as error:
        out.append(f"{error.name}: {error.message}")
"""


def kv(folder: Path) -> Kv:
    return Kv(folder / "kv.sqlite", SystemClock().now_ms)


def test_every_call_gives_what_workerd_s_client_gives(tmp_path: Path) -> None:
    code = f"import json\nCALLS = json.loads({json.dumps(CALLS)!r})\n{EACH}"

    found = seen(tmp_path, code, {"KV": kv(tmp_path)})

    calls = [call[:3] for call in CALLS]
    assert list(zip(calls, found, strict=True)) == list(
        zip(calls, [expected for *_, expected in CALLS], strict=True)
    )


def test_options_may_be_keywords_and_metadata_has_attributes(tmp_path: Path) -> None:
    code = """
await env.KV.put("a", '{"n": 1}', expirationTtl=600, metadata={"tags": ["x"]})
found = await env.KV.getWithMetadata("a", type="json")
listed = await env.KV.list(prefix="a", limit=5)
out = [found.value.n, found.metadata.tags, listed["keys"][0].metadata.tags,
       "expiration" in listed["keys"][0], await env.KV.get("none", type="json")]
"""
    assert seen(tmp_path, code, {"KV": kv(tmp_path)}) == [1, ["x"], ["x"], True, None]


def test_a_value_that_is_not_json_is_a_syntax_error(tmp_path: Path) -> None:
    code = """
await env.KV.put("a", "{")
try:
    await env.KV.get("a", "json")
except JsException as error:
    out = error.name
"""
    assert seen(tmp_path, code, {"KV": kv(tmp_path)}) == "SyntaxError"


def test_a_value_of_twenty_megabytes_goes_both_ways(tmp_path: Path) -> None:
    code = """
value = bytes(range(256)) * 80_000
await env.KV.put("large", value)
as_buffer = await env.KV.get("large", "arrayBuffer")
as_stream = await (await env.KV.get("large", "stream")).to_bytes()
await env.KV.put("text", "ü" * 1_000_000)
text = await env.KV.get("text")
out = [as_buffer == value, as_stream == value, text == "ü" * 1_000_000]
"""
    assert seen(tmp_path, code, {"KV": kv(tmp_path)}) == [True, True, True]


def test_a_value_that_is_too_large_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    code = """
async def pieces():
    for _ in range(26):
        yield b"x" * 2**20
out = []
for value in (b"x" * (25 * 2**20 + 1), Response(pieces()).body):
    try:
        await env.KV.put("large", value)
    except JsException as error:
        out.append(error.message)
out.append(await env.KV.get("large"))
"""
    first, second, found = seen(tmp_path, code, {"KV": kv(tmp_path)})
    told = "KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400."
    assert (first, found) == (told, None)
    assert second.startswith("KV PUT failed: 413 Value length of ")
