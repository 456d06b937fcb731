"""The R2 binding: a client's call, with its body as a stream, and the answer with the object's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bindings.binding import ByteStream
from bindings.r2.bucket import Bucket, Request
from bindings.r2.errors import NO_SUCH_KEY, PRECONDITION_FAILED, R2Error
from emulator.disk import refusal
from emulator.errors import WorkerError


class R2:
    """A bucket for the clients of guests."""

    kind = "r2"
    keeps_typed_arrays = True

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.bucket = bucket
        self._folder = folder
        self.removed = bucket.removed
        self.close = bucket.close

    async def call(self, method: str, args: list[Any]) -> Any:
        """Perform `request(request, body)`; see `Bucket`. Raises WorkerError.

        Returns `{"metadata", "body"}`. A missing object is None. So is a put whose condition does
        not hold; a get then has metadata and no body.
        """
        if method != "request" or not args or not isinstance(args[0], dict):
            raise WorkerError(f'R2 has no method "{method}" that takes these arguments')
        request: Request = args[0]
        body = args[1] if len(args) > 1 else b""
        try:
            answer = await self.bucket.perform(request, body)
        except R2Error as error:
            action = str(request.get("method"))
            if error.code == NO_SUCH_KEY and action in ("get", "head"):
                return None
            if error.code == PRECONDITION_FAILED and action in ("get", "put"):
                return error.attached and {"metadata": error.attached, "body": None}
            raise error.for_worker(action) from None
        except OSError as error:
            raise WorkerError(refusal(self._folder, "cannot be used", error)) from None
        stream = None
        if answer.body is not None:
            stream = ByteStream(answer.body, "application/octet-stream")
        return {"metadata": answer.metadata, "body": stream}
