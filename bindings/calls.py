"""Calls of a binding's methods over HTTP: the arguments as JSON in, the value or the error out.

It opens no socket: its caller serves it. The other side is `emulator/guest/javascript/caller.js`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from bindings.binding import Binding
from bindings.http import HttpAnswer, json_answer
from emulator.errors import WorkerError


async def answer(
    binding: Binding, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer `POST /<name of the method>`, whose body is the list of the arguments."""
    name = urlsplit(target).path.lstrip("/")
    try:
        return json_answer(200, {"value": await binding.call(name, json.loads(body))})
    except WorkerError as error:
        return json_answer(200, {"error": {"name": error.name, "message": error.message}})
