"""JPEG files of coloured squares. Pure.

A square of one colour needs no cosine transform: a block of 8 by 8 pixels is only its mean. It is
written as the difference from the block before, followed by "end of block".
Source: ITU-T T.81
(baseline sequential, one Huffman code for differences, one for the end of block).
"""

from __future__ import annotations

import struct

from bindings.ai.png import Colour

BLOCK = 8
# How many codes there are of 1, 2, … 16 bits, for the 12 sizes a difference can have.
_CODES_BY_BITS = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
_END_OF_BLOCK = "0"  # the only code of the second table
_BITS_PER_CHUNK = 1 << 16


def write_jpeg(
    width: int, height: int, cells: list[list[int]], palette: list[Colour], comment: bytes
) -> bytes:
    """Return a picture whose squares, `cells[row][column]`, have colours of the palette."""
    frame = struct.pack(">BHHB", 8, height, width, 3)
    frame += b"".join(bytes((component, 0x11, 0)) for component in (1, 2, 3))
    scan = b"\x03" + b"".join(bytes((component, 0x00)) for component in (1, 2, 3)) + b"\x00\x3f\x00"
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            _segment(0xFE, comment[:65_000]),
            _segment(0xDB, b"\0" + bytes([BLOCK]) + bytes([1]) * 63),
            _segment(0xC0, frame),
            _segment(0xC4, b"\x00" + bytes(_CODES_BY_BITS) + bytes(range(12))),
            _segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\x00"),
            _segment(0xDA, scan),
            _entropy(width, height, cells, [_ycc(colour) for colour in palette]),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def _ycc(colour: Colour) -> Colour:
    """Return luma and chroma around zero; whole numbers, so the same on every machine."""
    red, green, blue = colour
    luma = (299 * red + 587 * green + 114 * blue + 500) // 1000
    return luma - 128, (blue - luma) * 564 // 1000, (red - luma) * 713 // 1000


def _size_codes() -> list[str]:
    codes: list[str] = []
    code = 0
    for bits, count in enumerate(_CODES_BY_BITS, start=1):
        for _ in range(count):
            codes.append(f"{code:0{bits}b}")
            code += 1
        code <<= 1
    return codes


_SIZE_CODES = _size_codes()


def _difference(value: int) -> str:
    size = abs(value).bit_length()
    if not size:
        return _SIZE_CODES[0] + _END_OF_BLOCK
    shown = value if value > 0 else value + (1 << size) - 1
    return f"{_SIZE_CODES[size]}{shown:0{size}b}{_END_OF_BLOCK}"


def _entropy(width: int, height: int, cells: list[list[int]], palette: list[Colour]) -> bytes:
    columns, lines = -(-width // BLOCK), -(-height // BLOCK)
    rows: dict[tuple[int, Colour], tuple[str, Colour]] = {}
    previous: Colour = (0, 0, 0)
    bits: list[str] = []
    for line in range(lines):
        band = line * len(cells) // lines
        key = (band, previous)
        if key not in rows:
            rows[key] = _row(cells[band], columns, palette, previous)
        text, previous = rows[key]
        bits.append(text)
    return _pack("".join(bits))


def _row(
    colours: list[int], columns: int, palette: list[Colour], previous: Colour
) -> tuple[str, Colour]:
    text: list[str] = []
    for column in range(columns):
        colour = palette[colours[column * len(colours) // columns]]
        text += [_difference(now - then) for now, then in zip(colour, previous, strict=True)]
        previous = colour
    return "".join(text), previous


def _pack(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    packed = b"".join(
        int(bits[start : start + _BITS_PER_CHUNK], 2).to_bytes(
            len(bits[start : start + _BITS_PER_CHUNK]) // 8, "big"
        )
        for start in range(0, len(bits), _BITS_PER_CHUNK)
    )
    return packed.replace(b"\xff", b"\xff\x00")
