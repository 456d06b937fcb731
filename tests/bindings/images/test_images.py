"""Images: what each transform makes of a picture, and what is refused."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from PIL import Image

from bindings.http import HttpAnswer
from bindings.images.http import answer
from bindings.images.images import Images
from emulator.errors import WorkerError

RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


def picture(wide: int = 40, high: int = 20, kind: str = "PNG", **options: Any) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    made = Image.new("RGBA", (wide, high), RED)
    made.paste(BLUE, (wide // 2, 0, wide, high))
    written = io.BytesIO()
    (made if kind != "JPEG" else made.convert("RGB")).save(written, kind, **options)
    return written.getvalue()


def transformed(
    *steps: dict[str, Any],
    source: bytes | None = None,
    more: tuple[bytes, ...] = (),
    **options: Any,
) -> Image.Image:
    sources = [source or picture(), *more]
    args = [sources, list(steps), {"format": "image/png", **options}]
    found = asyncio.run(Images().call("transform", args))
    assert found["contentType"] == options.get("format", "image/png")
    return Image.open(io.BytesIO(found["content"]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_a_picture_of_each_kind_is_known_and_written(kind: str) -> None:
    content = picture(kind=kind)
    found = asyncio.run(Images().call("info", [content]))
    media = f"image/{kind.lower()}"
    assert found == {"format": media, "fileSize": len(content), "width": 40, "height": 20}
    assert transformed(source=content, format=media).format == kind


def test_of_an_svg_only_the_format_is_known() -> None:
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
    assert asyncio.run(Images().call("info", [svg])) == {"format": "image/svg+xml"}
    with pytest.raises(WorkerError, match="9520: ERROR: SVG is not transformed in local mode"):
        transformed(source=svg)


@pytest.mark.parametrize(
    ("step", "size"),
    [
        ({"width": 20}, (20, 10)),
        ({"height": 10}, (20, 10)),
        ({"width": 400}, (40, 20)),
        ({"width": 400, "fit": "contain"}, (400, 200)),
        ({"width": 10, "height": 10}, (10, 5)),
        ({"width": 10, "height": 10, "fit": "cover"}, (10, 10)),
        ({"width": 100, "height": 100, "fit": "cover"}, (100, 100)),
        ({"width": 100, "height": 10, "fit": "crop"}, (40, 10)),
        ({"width": 50, "height": 50, "fit": "pad"}, (50, 50)),
        ({"width": 7, "height": 9, "fit": "squeeze"}, (7, 9)),
        ({"rotate": 90}, (20, 40)),
        ({"rotate": 90, "width": 10}, (10, 20)),
        ({"blur": 2, "sharpen": 1, "brightness": 1.5, "contrast": 0.5, "saturation": 2}, (40, 20)),
        ({"unknown": 5, "gravity": "auto"}, (40, 20)),
    ],
)
def test_a_transform_gives_the_size_that_it_asks_for(step: dict[str, Any], size: object) -> None:
    assert transformed({"imageIndex": 0, **step}).size == size


@pytest.mark.parametrize(
    ("gravity", "color"),
    [("left", RED), ("right", BLUE), ({"x": 1, "y": 0}, BLUE), ({"x": 0}, RED)],
)
def test_gravity_says_which_part_stays(gravity: Any, color: object) -> None:
    step = {"width": 20, "height": 20, "fit": "cover", "gravity": gravity}
    assert transformed(step).getpixel((10, 10)) == color


def test_a_picture_is_turned_flipped_and_padded() -> None:
    assert transformed({"rotate": 180}).getpixel((2, 2)) == BLUE
    assert transformed({"flip": "h"}).getpixel((2, 2)) == BLUE
    padded = transformed({"width": 40, "height": 40, "fit": "pad", "background": "#00ff00"})
    assert padded.getpixel((2, 2)) == (0, 255, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    upright = transformed(source=picture(kind="JPEG", exif=exif)).convert("RGB")
    assert upright.getpixel((2, 2))[2] > 200  # type: ignore[index]


def test_a_picture_is_drawn_on_another() -> None:
    def drawn(**where: Any) -> Image.Image:
        step = {"drawImageIndex": 1, "targetImageIndex": 0, **where}
        return transformed({"imageIndex": 1, "rotate": 180}, step, more=(picture(10, 10),))

    assert drawn(left=0, top=0).getpixel((2, 2)) == BLUE
    assert drawn(right=0, bottom=0).getpixel((37, 17)) == RED
    assert drawn(right=0, bottom=0).getpixel((2, 2)) == RED
    assert drawn().getpixel((17, 10)) == BLUE
    assert drawn(left=0, top=0, repeat=True).getpixel((22, 12)) == BLUE
    assert drawn(left=0, top=0, opacity=0).getpixel((2, 2)) == RED


def test_a_background_shows_where_a_picture_is_clear() -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4)).save(clear, "PNG")
    shown = transformed(source=clear.getvalue(), background="#ffffff")
    assert shown.getpixel((1, 1)) == (255, 255, 255, 255)
    black = transformed(source=clear.getvalue(), format="image/jpeg")
    assert black.getpixel((1, 1)) == (0, 0, 0)
    small = transformed(format="image/webp", quality=1)
    assert small.format == "WEBP"


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ([[b"nothing"], [], {}], 9520, "Unsupported image type unknown, expected one of: JPEG"),
        ([[b""], [], {}], 9520, "Unsupported image type unknown"),
        ([[picture(kind="BMP")], [], {}], 9520, "Unsupported image type bmp"),
        ([[picture()[:60]], [], {}], 9523, "the image is damaged"),
        ([[picture()], [], {"format": "rgb"}], 9520, "RGB/RGBA output is not supported"),
        ([[picture()], [], {"format": "image/x"}], 9520, "Unsupported output format image/x"),
        ([[picture()], [{"width": "5"}], {}], 9523, "Expected JSON array of valid transforms"),
        ([[picture()], {}, {}], 9523, "Expected JSON array of valid transforms"),
        ([[picture()], [{"imageIndex": 4, "width": 5}], {}], 9523, "Expected JSON array"),
        ([[picture()], [{"drawImageIndex": -1}], {}], 9523, "Expected JSON array"),
        ([[picture()], [{"width": 1e9, "fit": "contain"}], {}], 9402, "wider or higher than"),
        (
            [[picture()], [{"width": 5, "height": 9, "fit": "pad", "background": "x"}], {}],
            9523,
            "x",
        ),
        ([[None], [], {}], 9520, "Text cannot be drawn"),
    ],
)
def test_what_cannot_be_done_is_refused(args: list[Any], code: int, text: str) -> None:
    with pytest.raises(WorkerError) as caught:
        asyncio.run(Images().call("transform", args))
    assert caught.value.code == code and text in caught.value.message
    assert caught.value.message.startswith(f"IMAGES_TRANSFORM_ERROR {code}: ")


def asked(path: str, *parts: tuple[str, bytes]) -> HttpAnswer:
    lines = [
        b'--b\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), content)
        for name, content in parts
    ]
    body = b"".join([*lines, b"--b--\r\n"])
    headers = {"content-type": "multipart/form-data; boundary=b"}
    return asyncio.run(answer(Images(), "POST", path, headers, body))


def test_workerds_client_is_answered() -> None:
    info = asked("/info", ("image", picture()))
    assert json.loads(info.body)["file_size"] == len(picture())
    fields = [("transforms", b'[{"imageIndex": 0, "width": 10}]'), ("output_format", b"image/png")]
    made = asked("/transform", ("image", picture()), *fields)
    assert made.headers == {"content-type": "image/png"}
    assert Image.open(io.BytesIO(made.body)).size == (10, 5)
    for wrong in (b"x", b"5", b"[5]"):
        refused = asked("/transform", ("image", picture()), ("transforms", wrong))
        assert (refused.status, refused.headers["cf-images-binding"]) == (400, "err=9523")
    assert asked("/info").status == 400
    text = asked("/transform", ("text_input", b"{}"), ("transforms", b"[]"))
    assert (text.status, text.headers["cf-images-binding"]) == (415, "err=9520")


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bindings.images.images.find_spec", lambda name: None)
    with pytest.raises(WorkerError, match=r'pip install "groundfog\[images\]"'):
        asyncio.run(Images().call("info", [picture()]))
