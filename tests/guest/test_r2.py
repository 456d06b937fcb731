"""The R2 client in a real guest, on a real bucket: every call as workerd's own client has it."""

from __future__ import annotations

import json
from pathlib import Path

from bindings.r2.bucket import Bucket
from bindings.r2.r2 import R2
from emulator.clock import SystemClock
from tests.bindings.r2.calls import CALLS
from tests.guest.test_bindings import seen

EACH = """
import json
from datetime import datetime, timezone

def revived(value):
    if isinstance(value, dict) and "$date" in value:
        return datetime.fromtimestamp(value["$date"] / 1000, timezone.utc)
    if isinstance(value, dict):
        return {key: revived(item) for key, item in value.items()}
    return [revived(item) for item in value] if isinstance(value, list) else value

async def shown(value):
    if value is None or hasattr(value, "uploadId"):
        return value and {"key": value.key}
    if hasattr(value, "objects"):
        names = ("truncated", "delimitedPrefixes")
        return {"objects": [await shown(each) for each in value.objects],
                **{name: value[name] for name in names}, "cursor": "cursor" in value}
    if hasattr(value, "partNumber"):
        return value
    names = ("key", "size", "etag", "httpEtag", "httpMetadata", "customMetadata", "range")
    return {name: getattr(value, name) for name in (*names, "storageClass")} | {
        "text": await value.text() if getattr(value, "body", None) else None,
        "sums": list(value.checksums.toJSON())}

out = []
upload = None
for method, args, _ in json.loads(CALLS):
    on = upload if method in ("uploadPart", "complete", "abort") else env.BUCKET
    try:
        value = await getattr(on, method)(*revived(args))
        upload = value if hasattr(value, "uploadId") else upload
        out.append(await shown(value))
    except JsException as error:
        out.append(f"{error.name}: {error.message}")
"""


def bucket(folder: Path) -> R2:
    return R2(Bucket(folder / "b", SystemClock().now_ms), folder)


def test_every_call_gives_what_workerd_s_client_gives(tmp_path: Path) -> None:
    code = f"CALLS = {json.dumps(CALLS)!r}\n{EACH}"

    found = seen(tmp_path, code, {"BUCKET": bucket(tmp_path)})

    differing = [
        (call[:2], here, call[2])
        for call, here in zip(CALLS, found, strict=True)
        if here != call[2]
    ]
    assert differing == []


def test_a_body_is_read_in_every_way_and_headers_are_conditions(tmp_path: Path) -> None:
    code = """
from workers import Blob
await env.BUCKET.put("j", '{"a": 1}', httpMetadata={"contentType": "application/json"})
await env.BUCKET.put("blob", Blob(["from a blob"]))
found = await env.BUCKET.get("j")
headers = {}
found.writeHttpMetadata(headers)
unused = found.bodyUsed
json_ = await found.json()
again = await env.BUCKET.get("blob")
blob = await (await env.BUCKET.get("blob")).blob()
request_headers = Request("http://x", headers={"if-none-match": found.httpEtag}).headers
same = await env.BUCKET.get("j", onlyIf=request_headers)
part = await env.BUCKET.get("j", range=Request("http://x", headers={"range": "bytes=1-3"}).headers)
out = [json_.a, headers, unused, found.bodyUsed, bytes(await again.arrayBuffer()).decode(),
       await blob.text(), hasattr(same, "body"), await part.text(), found.uploaded.year > 2000]
"""
    code = "from workers import Request\n" + code
    assert seen(tmp_path, code, {"BUCKET": bucket(tmp_path)}) == [
        *(1, {"content-type": "application/json"}, False, True, "from a blob", "from a blob"),
        *(False, '"a"', True),
    ]


def test_forty_megabytes_are_streamed_both_ways(tmp_path: Path) -> None:
    code = """
async def pieces():
    for n in range(640):
        yield bytes([n % 256]) * 65_536
stored = await env.BUCKET.put("large", Response(pieces()).body)
size = 0
found = await env.BUCKET.get("large", range={"offset": 65_536, "length": 41_000_000})
first = None
async for piece in found.body:
    first = piece[0] if first is None else first
    size += len(piece)
out = [stored.size, size, first]
"""
    found = seen(tmp_path, code, {"BUCKET": bucket(tmp_path)})
    assert found == [41_943_040, 41_000_000, 1]
