"""The HTTP protocol of our worker behind `env.MY_WORKFLOW` in workerd: a request in, bytes out.

`POST /create` with the arguments as a list; arguments, results and errors are encoded as the
binding was told. It opens no socket: its caller serves it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bindings.binding import ByteStream
from bindings.http import HttpAnswer
from bindings.workflow.workflow import WorkflowBinding
from emulator.errors import WorkerError

MEDIA_TYPE = "application/x-groundfog-value"


async def answer(
    binding: WorkflowBinding, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer | ByteStream:
    """Call the method that `target` names. Status 400 has `{"name", "message"}` of an error."""
    name = target.rpartition("/")[2]
    try:
        most = binding.arguments_max_bytes.get(name, len(body))
        if len(body) > most:
            text = f"{name}: {len(body):,} bytes of arguments; expected {most:,} at the most."
            raise WorkerError(text)
        result = await binding.call(name, binding.decode(body))
        if isinstance(result, ByteStream):
            return result
        return _answer(200, binding.encode(result))
    except WorkerError as error:
        return _answer(400, binding.encode({"name": error.name, "message": error.message}))


def _answer(status: int, body: bytes) -> HttpAnswer:
    return HttpAnswer(status, {"content-type": MEDIA_TYPE}, body)
