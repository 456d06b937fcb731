"""What a caller asks for of its pictures, and the error of what cannot be done.

Source: docs/platform/images.md, "The protocol".
"""

from __future__ import annotations

from typing import Any, NoReturn

from msgspec import Struct

from emulator.errors import WorkerError

INTERNAL = 9523
UNSUPPORTED = 9520
TOO_LARGE = 9402


class Order(Struct, frozen=True):
    """What `output()` asks for.

    sources: the picture itself, then those that are drawn on it, as bytes. transforms: one after
    the other: `{imageIndex, width, height, …}` changes a source, `{drawImageIndex,
    targetImageIndex, …}` draws one on another.
    """

    sources: list[bytes]
    transforms: list[dict[str, Any]]
    format: str = ""
    quality: int | None = None
    background: str | None = None


class ImagesError(WorkerError):
    """A refusal: HTTP status, number and text of the service. `message` is what the client says."""

    def __init__(self, status: int, code: int, text: str, operation: str = "TRANSFORM") -> None:
        self.status = status
        self.text = f"ERROR {code}: {text}"
        super().__init__(f"IMAGES_{operation}_{self.text}", code=code)


def read_order(sources: Any, transforms: Any, options: Any) -> Order:
    """Return an order from plain values. Raises ImagesError."""
    given = options if isinstance(options, dict) else {}
    if not isinstance(transforms, list) or not all(_is_transform(each) for each in transforms):
        internal("Expected JSON array of valid transforms in transforms field", 400)
    if not sources or not all(isinstance(each, bytes | bytearray) for each in sources):
        text = "Text cannot be drawn in local mode"
        raise ImagesError(415, UNSUPPORTED, text)
    quality = given.get("quality")
    return Order(
        [bytes(each) for each in sources],
        transforms,
        str(given.get("format") or ""),
        max(1, min(100, round(quality))) if isinstance(quality, int | float) else None,
        given.get("background") if isinstance(given.get("background"), str) else None,
    )


def internal(text: str, status: int = 500) -> NoReturn:
    """Raise the error of something that the service did not expect."""
    raise ImagesError(status, INTERNAL, f"ERROR: Internal Images binding error: {text}")


def is_svg(image: bytes) -> bool:
    """Whether an image is an SVG document."""
    return b"<svg" in image[:1024].lower()


_NUMBERS = ("imageIndex", "rotate", "width", "height", "drawImageIndex", "targetImageIndex")


def _is_transform(given: Any) -> bool:
    if not isinstance(given, dict):
        return False
    numbers = [given[name] for name in _NUMBERS if given.get(name) is not None]
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
