"""Pictures from prompts: a symmetrical mosaic, different for every prompt and seed. Pure.

It shows nothing real, but it is a real file of the requested size, and it contains its prompt.
"""

from __future__ import annotations

import hashlib

from bindings.ai.binary import mark
from bindings.ai.catalogue import PNG
from bindings.ai.jpeg import write_jpeg
from bindings.ai.png import Colour, write_png

CELLS = 8  # squares a side
COLOURS = 4
SIDE_MIN = 8


def draw(prompt: str, seed: int, width: int, height: int, media: str) -> bytes:
    """Return the picture of `prompt` as PNG or JPEG."""
    digest = hashlib.blake2b(f"{seed}\0{prompt}".encode(errors="replace")).digest()
    palette = [_colour(digest[3 * n : 3 * n + 3]) for n in range(COLOURS)]
    cells = []
    for row in range(CELLS):
        left = [digest[16 + row * CELLS // 2 + column] % COLOURS for column in range(CELLS // 2)]
        cells.append([*left, *reversed(left)])
    write = write_png if media == PNG else write_jpeg
    return write(max(SIDE_MIN, width), max(SIDE_MIN, height), cells, palette, mark(prompt))


def _colour(three: bytes) -> Colour:
    """Return a colour that is neither very dark nor very bright."""
    red, green, blue = (48 + part * 160 // 255 for part in three)
    return red, green, blue


def size_of(content: bytes) -> tuple[int, int]:
    """Return width and height of a PNG, JPEG, GIF or WebP; 640 by 480 for any other file."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content.startswith(b"GIF8") and len(content) >= 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    if content.startswith(b"RIFF") and content[8:16] == b"WEBPVP8X" and len(content) >= 30:
        return (
            int.from_bytes(content[24:27], "little") + 1,
            int.from_bytes(content[27:30], "little") + 1,
        )
    return _jpeg_size(content) or (640, 480)


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(b"\xff\xd8"):
        return None
    position = 2
    while position + 9 < len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = content[position + 5 : position + 7], content[position + 7 :][:2]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None
