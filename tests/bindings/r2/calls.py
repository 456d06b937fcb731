"""Calls that every client of R2 must answer alike: ours in a guest, and workerd's own.

`{"$date": ms}` is a date. `uploadPart`, `complete` and `abort` are of the last upload that began.
"""

from __future__ import annotations

from typing import Any

MD5 = "5d41402abc4b2a76b9719d911017c592"  # of "hello"
FAR_MS = 4_000_000_000_000


def shown(key: str, size: int, etag: str, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "size": size,
        "etag": etag,
        "httpEtag": f'"{etag}"',
        "httpMetadata": {},
        "customMetadata": {},
        "range": None,
        "storageClass": "Standard",
        "text": None,
        "sums": ["md5"],
        **more,
    }


HELLO = shown("a", 5, MD5)
META = {
    "httpMetadata": {"contentType": "text/plain", "cacheControl": "no-store"},
    "customMetadata": {"who": "ü"},
}


def hello(offset: int = 0, length: int = 5) -> dict[str, Any]:
    text = "hello"[offset : offset + length]
    return {**HELLO, "range": {"offset": offset, "length": length}, "text": text}


# Method, arguments, and the answer, or the text of the error.
CALLS: list[tuple[str, list[Any], Any]] = [
    ("head", ["missing"], None),
    ("get", ["missing"], None),
    ("put", ["a", "hello"], HELLO),
    ("head", ["a"], HELLO),
    ("get", ["a"], hello()),
    ("get", ["a", {"range": {"offset": 1, "length": 2}}], hello(1, 2)),
    ("get", ["a", {"range": {"offset": 3}}], hello(3, 2)),
    ("get", ["a", {"range": {"suffix": 2}}], hello(3, 2)),
    ("get", ["a", {"range": {"offset": 1, "length": 99}}], hello(1, 4)),
    (
        "get",
        ["a", {"range": {"offset": 9}}],
        "Error: get: The requested range is not satisfiable (10039)",
    ),
    ("get", ["a", {"onlyIf": {"etagMatches": MD5}}], hello()),
    ("get", ["a", {"onlyIf": {"etagMatches": "other"}}], HELLO),
    ("get", ["a", {"onlyIf": {"etagDoesNotMatch": MD5}}], HELLO),
    ("get", ["a", {"onlyIf": {"uploadedBefore": {"$date": FAR_MS}}}], hello()),
    ("get", ["a", {"onlyIf": {"uploadedAfter": {"$date": FAR_MS}}}], HELLO),
    ("put", ["a", "hello", {"onlyIf": {"etagMatches": "other"}}], None),
    ("put", ["n", "x", {"onlyIf": {"etagMatches": "other"}}], None),
    ("put", ["a", "hello", META], {**HELLO, **META}),
    ("head", ["a"], {**HELLO, **META}),
    (
        "put",
        ["s", "hello", {"storageClass": "InfrequentAccess"}],
        shown("s", 5, MD5, storageClass="InfrequentAccess"),
    ),
    ("put", ["sum", "hello", {"md5": MD5}], shown("sum", 5, MD5)),
    (
        "put",
        ["sum", "hello", {"sha1": "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"}],
        shown("sum", 5, MD5, sums=["md5", "sha1"]),
    ),
    (
        "put",
        ["sum", "hello", {"md5": "00" * 16}],
        "Error: put: The MD5 checksum you specified did not match what we received.\n"
        f"You provided a MD5 checksum with value: {'00' * 16}\n"
        f"Actual MD5 was: {MD5} (10037)",
    ),
    ("put", ["x" * 1025, "hello"], "Error: put: The specified object name is not valid. (10020)"),
    (
        "put",
        ["m", "hello", {"customMetadata": {"a": "x" * 2048}}],
        "Error: put: Your metadata headers exceed the maximum allowed metadata size. (10012)",
    ),
    ("put", ["empty", ""], shown("empty", 0, "d41d8cd98f00b204e9800998ecf8427e")),
    ("put", ["dir/one", "hello"], shown("dir/one", 5, MD5)),
    ("put", ["dir/two", "hello", META], {**shown("dir/two", 5, MD5), **META}),
    ("delete", [["s", "sum", "missing"]], None),
    ("delete", ["empty"], None),
    (
        "list",
        [],
        {
            "objects": [HELLO, shown("dir/one", 5, MD5), shown("dir/two", 5, MD5)],
            "truncated": False,
            "delimitedPrefixes": [],
            "cursor": False,
        },
    ),
    (
        "list",
        [{"delimiter": "/"}],
        {"objects": [HELLO], "truncated": False, "delimitedPrefixes": ["dir/"], "cursor": False},
    ),
    (
        "list",
        [{"prefix": "dir/", "limit": 1, "include": ["httpMetadata", "customMetadata"]}],
        {
            "objects": [shown("dir/one", 5, MD5)],
            "truncated": True,
            "delimitedPrefixes": [],
            "cursor": True,
        },
    ),
    (
        "list",
        [{"startAfter": "dir/one", "include": ["httpMetadata", "customMetadata"]}],
        {
            "objects": [{**shown("dir/two", 5, MD5), **META}],
            "truncated": False,
            "delimitedPrefixes": [],
            "cursor": False,
        },
    ),
    (
        "list",
        [{"limit": 1001}],
        "Error: list: MaxKeys params must be positive integer <= 1000. (10022)",
    ),
    ("createMultipartUpload", ["multi", META], {"key": "multi"}),
    ("uploadPart", [1, "hello"], {"partNumber": 1, "etag": MD5}),
    ("uploadPart", [2, "he"], {"partNumber": 2, "etag": "6f96cfdfe5ccc627cadf24b41725caa4"}),
    (
        "complete",
        [[{"partNumber": 1, "etag": MD5}, {"partNumber": 3, "etag": MD5}]],
        "Error: completeMultipartUpload: One or more of the specified parts could not be found. "
        "(10025)",
    ),
    (
        "complete",
        [
            [
                {"partNumber": 2, "etag": "6f96cfdfe5ccc627cadf24b41725caa4"},
                {"partNumber": 1, "etag": MD5},
            ]
        ],
        "Error: completeMultipartUpload: Your proposed upload is smaller than the minimum allowed "
        "object size. (10011)",
    ),
    (
        "complete",
        [[{"partNumber": 1, "etag": MD5}]],
        {
            **shown("multi", 5, "62109206880d38a4010a98e11243924a-1", sums=[]),
            **META,
        },
    ),
    (
        "uploadPart",
        [1, "late"],
        "Error: uploadPart: The specified multipart upload does not exist. (10024)",
    ),
    ("abort", [], None),
]
