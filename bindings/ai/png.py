"""PNG files of coloured squares, written without zlib's compressor. Pure.

Compressors differ between builds of Python. This one writes the same bytes everywhere: the first
row of each band of squares, then "the same row again" for the other rows of the band.
Source: RFC 1951 (deflate, fixed codes); https://www.w3.org/TR/png/.
"""

from __future__ import annotations

import struct
import zlib

Colour = tuple[int, int, int]

MATCH_MIN, MATCH_MAX = 3, 258
# Deflate's tables: length and distance of a match, as base and extra bits.
_LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59]
_LENGTHS += [67, 83, 99, 115, 131, 163, 195, 227]
_LENGTH_BITS = [0] * 8 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4
_DISTANCES = [1, 2, 3, 4, *(2**n + half for n in range(2, 14) for half in (1, 2 ** (n - 1) + 1))]
_DISTANCE_BITS = [0, 0, 0, 0, *(n - 1 for n in range(2, 14) for _ in (0, 1))]


def write_png(
    width: int, height: int, cells: list[list[int]], palette: list[Colour], comment: bytes
) -> bytes:
    """Return a picture whose squares, `cells[row][column]`, have colours of the palette."""
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"tEXt", b"Comment\0" + comment),
            _chunk(b"PLTE", b"".join(map(bytes, palette))),
            _chunk(b"IDAT", _compress(_rows(width, height, cells))),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _rows(width: int, height: int, cells: list[list[int]]) -> list[tuple[bytes, int]]:
    """Return each distinct row of pixels, its filter byte first, and how often it repeats."""
    rows: list[tuple[bytes, int]] = []
    for band, colours in enumerate(cells):
        edges = [width * column // len(colours) for column in range(len(colours) + 1)]
        spans = zip(colours, edges, edges[1:], strict=False)
        row = b"\0" + b"".join(bytes([colour]) * (end - start) for colour, start, end in spans)
        count = height * (band + 1) // len(cells) - height * band // len(cells)
        rows.append((row, count))
    return rows


class _Bits:
    """Bits, the least significant of each byte first."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self._held = 0
        self._count = 0

    def put(self, value: int, count: int) -> None:
        self._held |= value << self._count
        self._count += count
        while self._count >= 8:
            self.bytes.append(self._held & 0xFF)
            self._held >>= 8
            self._count -= 8

    def put_code(self, code: int, count: int) -> None:
        """Huffman codes go in with their most significant bit first."""
        self.put(int(f"{code:0{count}b}"[::-1], 2), count)

    def symbol(self, symbol: int) -> None:
        """Put a literal, an end or a length by its fixed code."""
        if symbol < 144:
            self.put_code(0x30 + symbol, 8)
        elif symbol < 256:
            self.put_code(0x190 + symbol - 144, 9)
        elif symbol < 280:
            self.put_code(symbol - 256, 7)
        else:
            self.put_code(0xC0 + symbol - 280, 8)

    def match(self, length: int, distance: int) -> None:
        """Put a repetition: `length` (3 to 258) bytes from `distance` back."""
        if length == MATCH_MAX:
            self.symbol(285)
        else:
            place = max(n for n, base in enumerate(_LENGTHS) if base <= length)
            self.symbol(257 + place)
            self.put(length - _LENGTHS[place], _LENGTH_BITS[place])
        place = max(n for n, base in enumerate(_DISTANCES) if base <= distance)
        self.put_code(place, 5)
        self.put(distance - _DISTANCES[place], _DISTANCE_BITS[place])


def _compress(rows: list[tuple[bytes, int]]) -> bytes:
    bits = _Bits()
    bits.put(0b011, 3)  # the last block, with fixed codes
    check = 1
    for row, count in rows:
        if count:
            _put_row(bits, row)
            _put_repetition(bits, len(row) * (count - 1), len(row))
        for _ in range(count):
            check = zlib.adler32(row, check)
    bits.symbol(256)
    bits.put(0, 7)
    return b"\x78\x01" + bytes(bits.bytes) + struct.pack(">I", check)


def _put_row(bits: _Bits, row: bytes) -> None:
    position = 0
    while position < len(row):
        end = position + 1
        while end < len(row) and row[end] == row[position]:
            end += 1
        bits.symbol(row[position])
        _put_repetition(bits, end - position - 1, 1, row[position])
        position = end


def _put_repetition(bits: _Bits, length: int, distance: int, literal: int = 0) -> None:
    """Put `length` bytes as repetitions; the last bytes, if too few for one, are literals."""
    while length >= MATCH_MIN:
        step = min(length, MATCH_MAX)
        if 0 < length - step < MATCH_MIN:
            step -= MATCH_MIN
        bits.match(step, distance)
        length -= step
    for _ in range(length):
        bits.symbol(literal)
