"""`env.IMAGES`: its operations on plain values. Pillow, which is optional, does them on a thread.

Source: docs/platform/images.md, "Operations".
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

from bindings.images.orders import INTERNAL, ImagesError, Order, is_svg, read_order
from emulator.errors import WorkerError

_NO_PILLOW = (
    "Pillow, which edits images, is not installed beside Groundfog: "
    'python -m pip install "groundfog[images]"'
)


class Images:
    """A binding that edits images."""

    kind = "images"

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `info(image)`: `{format, fileSize, width, height}`; or `transform(sources,
        transforms, options)`: `{contentType, content}`. Raises WorkerError.
        """
        try:
            if method == "info":
                return await self.info(bytes(args[0]))
            if method == "transform":
                content_type, content = await self.transform(read_order(*args))
                return {"contentType": content_type, "content": content}
        except ImagesError as error:
            raise WorkerError(_said(method, error), code=error.code) from None
        raise WorkerError(f'Images has no method "{method}"')

    async def info(self, image: bytes) -> dict[str, Any]:
        """Return what is known of an image. Raises ImagesError."""
        if is_svg(image):
            return {"format": "image/svg+xml"}
        _need_pillow()
        from bindings.images.editing import looked_at

        return await asyncio.to_thread(looked_at, image)

    async def transform(self, order: Order) -> tuple[str, bytes]:
        """Return the media type and the content of what an order makes. Raises ImagesError."""
        _need_pillow()
        from bindings.images.editing import edited

        return await asyncio.to_thread(edited, order)

    async def close(self) -> None:
        """Nothing is held."""


def _need_pillow() -> None:
    if find_spec("PIL") is None:
        raise ImagesError(503, INTERNAL, _NO_PILLOW)


def _said(method: str, error: ImagesError) -> str:
    return f"IMAGES_{method.upper()}_{error.text}"
