"""Calls that every producer must answer alike: ours in a guest, and workerd's own."""

from __future__ import annotations

from typing import Any

TOO_LARGE = "x" * 128_001

# Method, arguments, what is not JSON before them, the body that is kept, or the text of the error.
CALLS: list[tuple[str, list[Any], str, Any]] = [
    ("send", [{"a": [1, None, "ü"]}], "", ("json", '{"a":[1,null,"ü"]}')),
    ("send", ["text"], "", ("json", '"text"')),
    ("send", ["text", {"contentType": "text"}], "", ("text", "text")),
    ("send", [None], "", ("json", "null")),
    ("send", [{"contentType": "bytes"}], "bytes", ("bytes", "\x00\xff")),
    ("send", [7, {"delaySeconds": 60}], "", ("json", "7")),
    ("sendBatch", [[{"body": 1}, {"body": "b", "contentType": "text"}]], "", ("text", "b")),
    (
        "send",
        [{"contentType": "text"}],
        "number",
        'TypeError: Content Type "text" requires a value of type string, but received: number',
    ),
    (
        "send",
        ["x", {"contentType": "bytes"}],
        "",
        'TypeError: Content Type "bytes" requires a value of type ArrayBufferView, but received: '
        "string",
    ),
    (
        "send",
        ["x", {"contentType": "xml"}],
        "",
        "TypeError: Unsupported queue message content type: xml",
    ),
    ("sendBatch", [[]], "", "TypeError: sendBatch() requires at least one message"),
    (
        "send",
        [TOO_LARGE, {"contentType": "text"}],
        "",
        "Error: message length of 128001 bytes exceeds limit of 128000 (15000)",
    ),
    (
        "sendBatch",
        [[{"body": 1}] * 101],
        "",
        "Error: batch message count of 101 exceeds limit of 100 (15000)",
    ),
    (
        "sendBatch",
        [[{"body": TOO_LARGE, "contentType": "text"}]],
        "",
        "Error: message in batch has length 128001 bytes which exceeds "
        "single message size limit of 128000 (15000)",
    ),
    (
        "sendBatch",
        [[{"body": TOO_LARGE[:100_000], "contentType": "text"}] * 3],
        "",
        "Error: batch size of 300000 bytes exceeds limit of 288000 (15000)",
    ),
    (
        "send",
        [1, {"delaySeconds": 86_401}],
        "",
        "Error: message delay 86401 is invalid: expected 0 to 86400 seconds (15000)",
    ),
]
