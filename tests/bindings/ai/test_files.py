"""Pictures and sounds are files that others can read.

Those of every format were opened with Pillow and FFmpeg once; the hashes in `test_tasks` stand for
these very files. Here they are read with what Python has.
"""

from __future__ import annotations

import io
import struct
import wave
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bindings.ai.binary import MARK_MAX_CHARS, mark, marked_text
from bindings.ai.jpeg import write_jpeg
from bindings.ai.pictures import draw, size_of
from bindings.ai.sounds import flac, mp3, ogg_opus, wav
from bindings.ai.speech import duration_ms


def chunks(png: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a PNG by name, their checksums verified."""
    found, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(name + data)
        found[name] = data
        at += 12 + length
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 600), st.integers(8, 600), st.integers(0, 50))
@example(258, 16, 3)  # a row repeats for one byte more than a match can be long
def test_a_png_unpacks_to_as_many_pixels_as_it_says(width: int, height: int, seed: int) -> None:
    found = chunks(draw("a cat", seed, width, height, "image/png"))

    rows = zlib.decompress(found[b"IDAT"])
    assert len(rows) == height * (width + 1)
    assert {rows[n * (width + 1)] for n in range(height)} == {0}  # no filter
    assert len({rows[n * (width + 1) :][: width + 1] for n in range(height)}) <= 8  # bands
    assert max(rows) < len(found[b"PLTE"]) // 3


def scan_of(jpeg: bytes) -> bytes:
    """Return the picture's data, without the marker at its end."""
    assert jpeg.endswith(b"\xff\xd9")
    return jpeg[jpeg.index(b"\xff\xda") + 14 : -2]


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 600), st.integers(8, 600), st.integers(0, 50))
def test_a_jpeg_has_the_size_it_says(width: int, height: int, seed: int) -> None:
    picture = draw("a cat", seed, width, height, "image/jpeg")

    assert size_of(picture) == (width, height)
    assert scan_of(picture)


SIZES = {"00": 0, "010": 1, "011": 2, "100": 3, "101": 4, "110": 5, "1110": 6, "11110": 7}
SIZES |= {"111110": 8, "1111110": 9, "11111110": 10, "111111110": 11}


def lumas(scan: bytes) -> list[int]:
    """Return the brightness of each block, as a decoder reads it."""
    bits = "".join(f"{byte:08b}" for byte in scan.replace(b"\xff\x00", b"\xff"))
    found, means, at = [], [0, 0, 0], 0
    while "0" in bits[at:]:  # at the end there is padding only
        for component in range(3):
            end = next(end for end in range(at + 2, at + 10) if bits[at:end] in SIZES)
            size = SIZES[bits[at:end]]
            raw = bits[end : end + size]
            if size:
                value = int(raw, 2)
                means[component] += value if raw[0] == "1" else value - (1 << size) + 1
            assert bits[end + size] == "0"  # the end of the block
            at = end + size + 1
        found.append(means[0] + 128)
    return found


def test_a_jpeg_is_decoded_to_the_brightness_of_its_squares() -> None:
    black_and_white = [(0, 0, 0), (255, 255, 255)]

    picture = write_jpeg(64, 64, [[0, 1, 0, 1]], black_and_white, b"")

    assert b"\xff\x00" in scan_of(picture)  # a byte that must not read as a marker
    assert lumas(scan_of(picture)) == [0, 0, 255, 255] * 16


def test_a_wav_lasts_as_long_as_asked() -> None:
    with wave.open(io.BytesIO(wav(1_500, 16_000, "linear16", mark("hello")))) as sound:
        assert sound.getnframes() == 24_000
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (16_000, 2, 1)
        assert not any(sound.readframes(24_000))


@pytest.mark.parametrize("span_ms", [0, 24, 3_000])
def test_the_length_of_wav_and_mp3_is_found_again(span_ms: int) -> None:
    assert duration_ms(mp3(span_ms, mark("x"))) == pytest.approx(max(24, span_ms), abs=1)
    assert duration_ms(wav(span_ms, 8_000, "mulaw", b"")) == pytest.approx(span_ms, abs=1)


@given(st.text(max_size=200) | st.just("é" * 30_000))
def test_the_text_in_a_file_is_found_again(text: str) -> None:
    note = mark(text)

    for content in (mp3(10, note), flac(10, 16_000, note), ogg_opus(10, note)):
        assert marked_text(content) == text[:MARK_MAX_CHARS].encode(errors="replace").decode()


@given(st.binary(max_size=300))
def test_any_bytes_have_a_size_and_a_length(content: bytes) -> None:
    assert duration_ms(content) >= 0
    for head in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF....WEBPVP8X", b"ID3"):
        assert min(size_of(head + content)) >= 0
        assert duration_ms(head + content) >= 0
