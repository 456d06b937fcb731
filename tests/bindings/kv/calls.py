"""Calls that every client of KV must answer alike: ours in a guest, and workerd's own."""

from __future__ import annotations

from typing import Any

# What is called on a new namespace, one after the other: method, arguments, what is not JSON in
# place of the second argument, and the answer, or the text of the error.
CALLS: list[tuple[str, list[Any], str, Any]] = [
    ("get", ["missing"], "", None),
    ("getWithMetadata", ["missing"], "", {"value": None, "metadata": None, "cacheStatus": None}),
    ("put", ["a", "one"], "", None),
    ("get", ["a"], "", "one"),
    ("get", ["a", "text"], "", "one"),
    ("get", ["a", "arrayBuffer"], "", {"bytes": [111, 110, 101]}),
    ("get", ["a", "stream"], "", {"stream": "one"}),
    ("get", ["a", {"type": "text", "cacheTtl": 60}], "", "one"),
    ("put", ["sp ace/ü%20?", "odd key"], "", None),
    ("get", ["sp ace/ü%20?"], "", "odd key"),
    ("put", ["j", '{"n": [1, null]}', {"metadata": {"a": "ü", "n": 1}}], "", None),
    ("get", ["j", "json"], "", {"n": [1, None]}),
    (
        "getWithMetadata",
        ["j", "json"],
        "",
        {"value": {"n": [1, None]}, "metadata": {"a": "ü", "n": 1}, "cacheStatus": None},
    ),
    ("get", [["a", "missing", "j"]], "", {"a": "one", "missing": None, "j": '{"n": [1, null]}'}),
    ("get", [["j"], "json"], "", {"j": {"n": [1, None]}}),
    (
        "getWithMetadata",
        [["a", "j", "missing"]],
        "",
        {
            "a": {"value": "one", "metadata": None},
            "j": {"value": '{"n": [1, null]}', "metadata": {"a": "ü", "n": 1}},
            "missing": None,
        },
    ),
    ("put", ["b"], "bytes", None),
    ("get", ["b", "arrayBuffer"], "", {"bytes": [0, 255]}),
    ("put", ["b"], "stream", None),
    ("get", ["b"], "", "streamed"),
    ("put", ["b"], "number", None),
    ("get", ["b"], "", "1.5"),
    ("put", ["b"], "true", None),
    ("get", ["b"], "", "true"),
    ("put", ["b"], "floats", None),
    ("get", ["b", "arrayBuffer"], "", {"bytes": [0, 0, 192, 63]}),
    ("put", ["b", "x", {"expirationTtl": 3600, "metadata": [1]}], "", None),
    ("delete", ["b"], "", None),
    ("delete", ["b"], "", None),
    ("get", ["b"], "", None),
    (
        "list",
        [],
        "",
        {
            "keys": [
                {"name": "a"},
                {"name": "j", "metadata": {"a": "ü", "n": 1}},
                {"name": "sp ace/ü%20?"},
            ],
            "list_complete": True,
            "cacheStatus": None,
        },
    ),
    (
        "list",
        [{"limit": 1, "prefix": "a"}],
        "",
        {"keys": [{"name": "a"}], "list_complete": True, "cacheStatus": None},
    ),
    (
        "list",
        [{"limit": 1}],
        "",
        {"keys": [{"name": "a"}], "list_complete": False, "cursor": "YQ==", "cacheStatus": None},
    ),
    (
        "list",
        [{"limit": 1, "cursor": "YQ=="}],
        "",
        {
            "keys": [{"name": "j", "metadata": {"a": "ü", "n": 1}}],
            "list_complete": False,
            "cursor": "ag==",
            "cacheStatus": None,
        },
    ),
    ("get", [""], "", "TypeError: Key name cannot be empty."),
    ("put", [".", "x"], "", 'TypeError: "." is not allowed as a key name.'),
    ("delete", [".."], "", 'TypeError: ".." is not allowed as a key name.'),
    (
        "get",
        ["é" * 300],
        "",
        "Error: KV GET failed: 414 UTF-8 encoded length of 600 exceeds key length limit of 512.",
    ),
    (
        "get",
        ["a", "blob"],
        "",
        'TypeError: Unknown response type. Possible types are "text", "arrayBuffer", "json", and '
        '"stream".',
    ),
    (
        "put",
        ["c"],
        "object",
        "TypeError: KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and "
        "ReadableStreams as values.",
    ),
    (
        "put",
        ["c", "x", {"expirationTtl": 0}],
        "",
        "Error: KV PUT failed: 400 Invalid expiration_ttl of 0. Please specify integer greater "
        "than 0.",
    ),
    (
        "put",
        ["c", "x", {"expirationTtl": 59}],
        "",
        "Error: KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least "
        "60.",
    ),
    (
        "put",
        ["c", "x", {"expiration": 100}],
        "",
        "Error: KV PUT failed: 400 Invalid expiration of 100. Please specify integer greater than "
        "the current number of seconds since the UNIX epoch.",
    ),
    (
        "put",
        ["c", "x", {"metadata": "m" * 1023}],
        "",
        "Error: KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024.",
    ),
    (
        "get",
        ["a", {"cacheTtl": 29}],
        "",
        "Error: KV GET failed: 400 Invalid cache_ttl of 29. Cache TTL must be at least 30.",
    ),
    (
        "list",
        [{"limit": 1001}],
        "",
        "Error: KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer less "
        "than 1000.",
    ),
    ("list", [{"cursor": "%"}], "", "Error: KV GET failed: 400 Invalid cursor"),
    ("get", [[]], "", "Error: KV GET_BULK failed: 400 You must request a minimum of 1 key"),
    (
        "get",
        [[str(n) for n in range(101)]],
        "",
        "Error: KV GET_BULK failed: 400 You can request a maximum of 100 keys",
    ),
    (
        "get",
        [["a"], "json"],
        "",
        "Error: KV GET_BULK failed: 400 At least one of the requested keys corresponds to a "
        "non-json value",
    ),
    (
        "get",
        [["a"], "stream"],
        "",
        'Error: KV GET_BULK failed: 400 "stream" is not a valid type. Use "json" or "text"',
    ),
]
