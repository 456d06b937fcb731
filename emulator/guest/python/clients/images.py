"""The client that edits images. Source: docs/platform/images.md, "Operations"."""

from __future__ import annotations

import base64
from typing import Any

from .. import buffers
from ..calls import Caller
from ..sdk.jsobject import JsObject
from ..sdk.pyodide.ffi import JsException
from ..streams import ReadableStream, is_streamable
from .binding import _BindingWrapper

_CONSUMED = (
    "IMAGES_TRANSFORM_ERROR 9525: ImageTransformer consumed; you may only call .output() or draw a "
    "transformer once"
)


class ImagesBindingImpl(_BindingWrapper):
    """`info` and `input`."""

    async def info(self, image: Any, /, *options: Any, **keywords: Any) -> Any:
        """Return `{format, fileSize, width, height}`; an SVG has a format only."""
        given = self._given("info", options, keywords)
        return await self._call("info", await _content(image, given))

    def input(self, image: Any, /, *options: Any, **keywords: Any) -> ImageTransformer:
        """Begin with an image. Option: `encoding="base64"`."""
        given = self._given("input", options, keywords)
        return ImageTransformer(self._caller, self._name, image, given)

    def text(self, content: Any, /, *options: Any, **keywords: Any) -> ImageTransformer:
        """Refuse: text is not drawn here. Raises NotImplementedError."""
        raise NotImplementedError(f"env.{self._name}.text() is not emulated by Groundfog.")

    @property
    def hosted(self) -> Any:
        """Refuse: images are not stored here. Raises NotImplementedError."""
        raise NotImplementedError(f"env.{self._name}.hosted is not emulated by Groundfog.")

    def _given(
        self, method: str, options: tuple[Any, ...], keywords: dict[str, Any]
    ) -> dict[str, Any]:
        given = self._options(method, options, keywords)
        return given[0] if given and isinstance(given[0], dict) else {}


class ImageTransformer(_BindingWrapper):
    """An image, and what is done with it."""

    def __init__(self, caller: Caller, name: str, image: Any, options: dict[str, Any]) -> None:
        super().__init__(caller, name)
        self._image = image
        self._given = options
        self._steps: list[Any] = []
        self._is_consumed = False

    def transform(self, /, *options: Any, **keywords: Any) -> ImageTransformer:
        """Change it: `width`, `height`, `fit`, `rotate`, …; return itself."""
        self._steps += self._options("transform", options, keywords)
        return self

    def draw(self, image: Any, /, *options: Any, **keywords: Any) -> ImageTransformer:
        """Draw an image on it, or another transformer; return itself."""
        if isinstance(image, ImageTransformer):
            image._consume()
        else:
            image = ImageTransformer(self._caller, self._name, image, {})
        given = self._options("draw", options, keywords)
        self._steps.append((image, given[0] if given else {}))
        return self

    async def output(self, /, *options: Any, **keywords: Any) -> ImageTransformationResult:
        """Do it, and return the result in a `format` such as `"image/webp"`."""
        given = self._options("output", options, keywords)
        self._consume()
        sources = [await _content(self._image, self._given)]
        transforms: list[Any] = []
        await self._walk(0, sources, transforms)
        wanted = given[0] if given else {}
        found = await self._call("transform", sources, transforms, wanted)
        return ImageTransformationResult(found.contentType, bytes(found.content))

    def _consume(self) -> None:
        if self._is_consumed:
            raise JsException(_CONSUMED)
        self._is_consumed = True

    async def _walk(self, target: int, sources: list[bytes], transforms: list[Any]) -> None:
        """Write down what is done to the source `target`, drawn images first."""
        for step in self._steps:
            if not isinstance(step, tuple):
                transforms.append({"imageIndex": target, **step})
                continue
            child, options = step
            index = len(sources)
            sources.append(await _content(child._image, child._given))
            await child._walk(index, sources, transforms)
            transforms.append({"drawImageIndex": index, "targetImageIndex": target, **options})


class ImageTransformationResult(JsObject):
    """What `output()` returns."""

    def __init__(self, content_type: str, content: bytes) -> None:
        self._content_type = content_type
        self._content = content

    def contentType(self) -> str:  # JavaScript's name
        """Return the media type."""
        return self._content_type

    def image(self, options: Any = None, **keywords: Any) -> ReadableStream:
        """Return the content as a stream. Option: `encoding="base64"`."""
        given = options if isinstance(options, dict) else keywords
        is_text = given.get("encoding") == "base64"
        return ReadableStream([base64.b64encode(self._content) if is_text else self._content])

    def response(self, options: Any = None, **keywords: Any) -> Any:
        """Return the content as a Response. Option: `headers`."""
        from ..sdk.workers.response import Response

        given = options if isinstance(options, dict) else keywords
        headers = {**(given.get("headers") or {}), "content-type": self._content_type}
        return Response(self._content, headers=headers)


async def _content(image: Any, options: dict[str, Any]) -> bytes:
    """Return the bytes of an image: of a stream, or as they are. Raises JsException."""
    view = None if isinstance(image, str) else buffers.view_of(image)
    if view is not None:
        found = bytes(view)
    elif isinstance(image, ReadableStream):
        found = await image.to_bytes()
    elif is_streamable(image):
        found = await ReadableStream(image).to_bytes()
    else:
        raise JsException("An image must be a stream or bytes.", "TypeError")
    return base64.b64decode(found) if options.get("encoding") == "base64" else found


CLIENT = ImagesBindingImpl
