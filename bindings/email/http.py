"""Calls of an email binding over HTTP: its arguments as JSON, in which bytes are `{"$base64": …}`.

The other side is `emulator/guest/javascript/emails.js`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bindings.binding import Binding
from bindings.http import HttpAnswer, json_answer
from emulator.errors import WorkerError


async def answer(
    binding: Binding, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer `POST …/<name of the method>`, whose body is the list of the arguments."""
    name = urlsplit(target).path.rpartition("/")[2]
    try:
        args = json.loads(body, object_hook=_decoded)
        return json_answer(200, {"value": await binding.call(name, args)})
    except WorkerError as error:
        return json_answer(
            200, {"error": {"name": error.name, "message": error.message, "code": error.label}}
        )


def _decoded(found: dict[str, Any]) -> Any:
    return base64.b64decode(found["$base64"]) if found.keys() == {"$base64"} else found
