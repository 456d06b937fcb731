"""Values <-> tagged JSON: what structured clone can carry, as text that any language can read.

Plain JSON stands for itself. Everything else is an object with one key that begins with "$":

    {"$date": 1767225600000}   {"$bytes": "base64"}   {"$buffer": "base64"}   {"$undefined": 1}
    {"$typed": ["Float32Array", "base64"]}   {"$bigint": "123"}   {"$number": "NaN"}
    {"$map": [[key, value], …]}   {"$set": [value, …]}   {"$regexp": [source, flags]}
    {"$error": {"name": …, "message": …}}   {"$ref": n}   {"$object": {…}}
    {"$stored": [id, chunks, bytes, preview]}   {"$body": 1}   {"$stub": [owner, id]}

`$ref` points at the n-th container (list, object, map, set; counted from 0 as they open) and
carries shared references and cycles. `$object` wraps a real object that would look like a tag.
A `$bigint` of many digits is hexadecimal. Containers are at most `DEPTH_MAX` deep in one another:
whatever is written can be read, and both sides have the same limit whatever the Python.
Source: docs/platform/workflows.md, "Values".
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from .reading import from_tree
from .value_types import BODY as BODY
from .value_types import DEPTH_MAX as DEPTH_MAX
from .value_types import HOST_SHAPES as HOST_SHAPES
from .value_types import MAX_SAFE_INTEGER as MAX_SAFE_INTEGER
from .value_types import ErrorValue as ErrorValue
from .value_types import MalformedValue as MalformedValue
from .value_types import MapValue as MapValue
from .value_types import NotCloneable as NotCloneable
from .value_types import RegExpValue as RegExpValue
from .value_types import Shapes as Shapes
from .value_types import StreamValue as StreamValue
from .value_types import StubValue as StubValue
from .value_types import TooDeep as TooDeep
from .value_types import TooManyCopies as TooManyCopies
from .value_types import TypedArray as TypedArray
from .writing import to_tree

# The writer ties cycles with `$ref` and tags what JSON has no number for: nothing to check again.
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_dump_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_BASE64 = re.compile(
    rb'"\$(?:bytes|buffer)":"([A-Za-z0-9+/=]*)"|"\$typed":\["\w+","([A-Za-z0-9+/=]*)"'
)


def _write(tree: Any) -> bytes:
    return _dump(tree).encode()


_quick: Callable[[Any], bytes] = _write


def write_with(writer: Callable[[Any], bytes]) -> None:
    """Write values with a quicker writer of JSON from now on.

    It raises UnicodeEncodeError for lone surrogates and RecursionError for what is too deep, as
    Python's own does.
    """
    global _quick
    _quick = writer


def encode(
    value: Any, convert: Callable[[Any], Any] | None = None, *, copies_max: int = 0
) -> bytes:
    """Return `value` as tagged JSON in UTF-8.

    copies_max: write a list or dict anew wherever it stands, instead of a `$ref` to the first; up
    to so many of them. A value that contains itself is then TooDeep.

    `convert` is asked about every value of a type not known here and returns a known one instead,
    or raises. Raises NotCloneable, which says where, for what cannot be carried.
    """
    tree = to_tree(value, convert, copies_max)
    try:
        return _quick(tree)
    except UnicodeEncodeError:  # lone surrogates, legal in JavaScript strings: escape them
        return _dump_ascii(tree).encode()
    except RecursionError:
        from . import deep_json  # seldom needed

        return deep_json.dumps(tree).encode()


def size(data: bytes) -> int:
    """Return what an encoded value counts against limits: bytes count as bytes, not as base64."""
    padding = sum(len(found[found.lastindex or 0]) // 4 for found in _BASE64.finditer(data))
    return len(data) - padding


def decode(data: bytes, shapes: Shapes = HOST_SHAPES, *, yielding: bool = False) -> Any:
    """Return the value that `data` carries, built as `shapes` asks. Raises MalformedValue.

    yielding: let other threads run meanwhile, which takes longer.
    """
    if not data:
        return None
    try:
        tree = _parse(str(data, "utf-8"), shapes.new_object, yielding)
    except ValueError as error:
        raise MalformedValue(f"not tagged JSON: {error}") from error
    return from_tree(tree, shapes) if b'"$' in data else tree


def _parse(text: str, new_object: type[dict[str, Any]], yielding: bool) -> Any:
    try:
        if not yielding:
            return _loader(new_object)(text)
    except RecursionError:
        pass
    from . import deep_json  # seldom needed

    return deep_json.Reader(deep_json.Limits(), new_object=new_object).whole(text)


@functools.cache
def _loader(new_object: type[dict[str, Any]]) -> Callable[[str], Any]:
    hook = None if new_object is dict else new_object
    return json.JSONDecoder(object_hook=hook).decode
