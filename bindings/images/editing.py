"""Editing pictures with Pillow, which this module alone imports.

Source: docs/platform/images.md, "Transforms".
"""

from __future__ import annotations

import io
from typing import Any, NoReturn

from PIL import Image, ImageColor, ImageEnhance, ImageFilter, ImageOps, UnidentifiedImageError

from bindings.images.orders import TOO_LARGE, UNSUPPORTED, ImagesError, Order, internal, is_svg

PIXELS_MAX = 100_000_000  # of one picture
SIDE_MAX = 12_000  # of a result
MEDIA = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
FORMATS = {media: name for name, media in MEDIA.items()}
_CENTERS = {
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
}
_TURNS = {"h": [Image.Transpose.FLIP_LEFT_RIGHT], "v": [Image.Transpose.FLIP_TOP_BOTTOM]}
_TURNS["hv"] = _TURNS["h"] + _TURNS["v"]
_ENHANCED = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}


def looked_at(content: bytes) -> dict[str, Any]:
    """Return `{format, fileSize, width, height}`. Raises ImagesError."""
    picture = _opened(content)
    size = {"width": picture.width, "height": picture.height}
    return {"format": MEDIA[str(picture.format)], "fileSize": len(content), **size}


def edited(order: Order) -> tuple[str, bytes]:
    """Return the media type and the content of what an order makes. Raises ImagesError."""
    media = order.format or "image/jpeg"
    if media not in FORMATS:
        _refuse_format(media)
    pictures = [_upright(content) for content in order.sources]
    for each in order.transforms:
        if each.get("drawImageIndex") is None:
            at = _index(each.get("imageIndex"), pictures)
            pictures[at] = _changed(pictures[at], each)
        else:
            at = _index(each.get("targetImageIndex"), pictures)
            drawn = pictures[_index(each["drawImageIndex"], pictures)]
            pictures[at] = _drawn(pictures[at], drawn, each)
    return media, _encoded(pictures[0], FORMATS[media], order)


def _opened(content: bytes) -> Image.Image:
    if is_svg(content):
        raise ImagesError(415, UNSUPPORTED, "ERROR: SVG is not transformed in local mode")
    try:
        picture = Image.open(io.BytesIO(content))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        _refuse_type("unknown", error)
    if picture.format not in MEDIA:
        _refuse_type(str(picture.format).lower())
    if picture.width * picture.height > PIXELS_MAX:
        text = f"ERROR: the image has more than {PIXELS_MAX:,} pixels"
        raise ImagesError(413, TOO_LARGE, text)
    return picture


def _upright(content: bytes) -> Image.Image:
    """Return a picture as its camera meant it, with red, green, blue and alpha."""
    picture = _opened(content)
    try:
        return ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        internal(f"the image is damaged: {error}", 400)


def _index(given: Any, pictures: list[Image.Image]) -> int:
    index = int(given or 0)
    if not 0 <= index < len(pictures):
        internal("Expected JSON array of valid transforms in transforms field", 400)
    return index


def _changed(picture: Image.Image, given: dict[str, Any]) -> Image.Image:
    if given.get("rotate"):
        picture = picture.rotate(-given["rotate"], expand=True)
    for turn in _TURNS.get(str(given.get("flip")), []):
        picture = picture.transpose(turn)
    if given.get("width") or given.get("height"):
        picture = _resized(picture, given)
    for name, enhance in _ENHANCED.items():
        factor = given.get(name)
        if isinstance(factor, int | float) and factor >= 0:
            picture = enhance(picture).enhance(factor)
    blur, sharpen = given.get("blur"), given.get("sharpen")
    if isinstance(blur, int | float) and 1 <= blur <= 250:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    if isinstance(sharpen, int | float) and 0 < sharpen <= 10:
        picture = picture.filter(ImageFilter.UnsharpMask(percent=round(sharpen * 50)))
    return picture


def _resized(picture: Image.Image, given: dict[str, Any]) -> Image.Image:
    """Return a picture in the size that `width`, `height` and `fit` ask for."""
    wide, high = given.get("width"), given.get("height")
    fit = given.get("fit") or "scale-down"
    if fit == "squeeze":
        return picture.resize(_size(wide or picture.width, high or picture.height))
    ratios = [wide / picture.width] if wide else []
    ratios += [high / picture.height] if high else []
    ratio = max(ratios) if fit in ("cover", "crop") else min(ratios)
    if fit not in ("contain", "cover", "pad"):
        ratio = min(1.0, ratio)
    scaled = picture.resize(_size(picture.width * ratio, picture.height * ratio))
    if not (wide and high) or fit not in ("cover", "crop", "pad"):
        return scaled
    asked = _size(wide, high)
    center = _center(given.get("gravity"))
    if fit == "pad":
        color = _color(given.get("background") or "#ffffff")
        return ImageOps.pad(scaled, asked, color=color, centering=center)
    size = min(asked[0], scaled.width), min(asked[1], scaled.height)
    return ImageOps.fit(scaled, size, centering=center)


def _size(wide: float, high: float) -> tuple[int, int]:
    size = max(1, round(wide)), max(1, round(high))
    if max(size) > SIDE_MAX:
        text = f"ERROR: the result would be wider or higher than {SIDE_MAX:,} pixels"
        raise ImagesError(413, TOO_LARGE, text)
    return size


def _center(gravity: Any) -> tuple[float, float]:
    if isinstance(gravity, dict):
        return _part(gravity.get("x")), _part(gravity.get("y"))
    return _CENTERS.get(str(gravity), (0.5, 0.5))


def _part(given: Any) -> float:
    return min(1.0, max(0.0, float(given))) if isinstance(given, int | float) else 0.5


def _drawn(picture: Image.Image, drawn: Image.Image, given: dict[str, Any]) -> Image.Image:
    """Return a picture with another one on it, at `left`, `right`, `top`, `bottom`."""
    opacity = given.get("opacity")
    if isinstance(opacity, int | float):
        share = min(1.0, max(0.0, opacity))
        drawn = drawn.copy()
        drawn.putalpha(drawn.getchannel("A").point(lambda value: round(value * share)))
    layer = Image.new("RGBA", picture.size)
    repeat = given.get("repeat")
    x = _edge(given, "left", "right", picture.width, drawn.width)
    y = _edge(given, "top", "bottom", picture.height, drawn.height)
    over_x = repeat is True or repeat == "x"
    over_y = repeat is True or repeat == "y"
    for left in _places(x, drawn.width, picture.width) if over_x else [x]:
        for top in _places(y, drawn.height, picture.height) if over_y else [y]:
            layer.paste(drawn, (left, top))
    return Image.alpha_composite(picture, layer)


def _edge(given: dict[str, Any], first: str, last: str, whole: int, part: int) -> int:
    """Return where something begins: at its distance from an edge, or else in the middle."""
    if isinstance(given.get(first), int | float):
        return int(round(given[first]))
    if isinstance(given.get(last), int | float):
        return int(round(whole - part - given[last]))
    return (whole - part) // 2


def _places(start: int, step: int, whole: int) -> range:
    return range(start % step - step, whole, step)


def _color(given: Any) -> tuple[int, ...]:
    try:
        return ImageColor.getcolor(str(given), "RGBA")  # type: ignore[return-value]
    except ValueError:
        internal(f"{given!r} is not a color", 400)


def _encoded(picture: Image.Image, name: str, order: Order) -> bytes:
    if order.background is not None or name == "JPEG":
        under = Image.new("RGBA", picture.size, _color(order.background or "#000000"))
        picture = Image.alpha_composite(under, picture)
    if name == "JPEG":
        picture = picture.convert("RGB")
    options: dict[str, Any] = {}
    if order.quality is not None and name in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = order.quality
    written = io.BytesIO()
    try:
        picture.save(written, name, **options)
    except (OSError, KeyError, ValueError) as error:  # Pillow was built without this format
        internal(f"{name} cannot be written: {error}")
    return written.getvalue()


def _refuse_type(kind: str, error: Exception | None = None) -> NoReturn:
    known = "JPEG, SVG, PNG, WebP, GIF or AVIF"
    text = f"ERROR: Unsupported image type {kind}, expected one of: {known}"
    raise ImagesError(415, UNSUPPORTED, text) from error


def _refuse_format(media: str) -> NoReturn:
    if media in ("rgb", "rgba"):
        raise ImagesError(415, UNSUPPORTED, "ERROR: RGB/RGBA output is not supported in local mode")
    raise ImagesError(415, UNSUPPORTED, f"ERROR: Unsupported output format {media}")
