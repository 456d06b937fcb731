"""Silent sound files, as long as it takes to say a text. Pure.

Silence can be written in every format without an encoder. Each file contains its text, so that
speech recognition here can tell what was "said". Each function names the specification of its
format.
"""

from __future__ import annotations

import struct
from functools import cache

MP3_FRAME_MS = 24  # 1,152 samples at 48 kHz
AAC_FRAME_SAMPLES = 1024
AAC_RATE = 48_000
OPUS_PACKET_MS = 20
OPUS_PACKET = b"\xf8\xff\xfe"  # full band, mono, 20 ms, nothing heard (RFC 6716)
OGG_PACKETS_PER_PAGE = 50
FLAC_BLOCK = 4096
SECONDS_MAX = 600  # 57 MB of samples at most


def mp3(milliseconds: int, comment: bytes) -> bytes:
    """Return frames of 32 kbit/s, mono, 48 kHz whose side information says "nothing follows".

    Source: ISO/IEC 11172-3; https://id3.org/id3v2.3.0 (the comment).
    """
    frame = b"\xff\xfb\x14\xc0" + bytes(92)
    return _id3(comment) + frame * max(1, -(-milliseconds // MP3_FRAME_MS))


def aac(milliseconds: int, comment: bytes) -> bytes:
    """Return ADTS frames of a mono channel without spectral data. Source: ISO/IEC 13818-7."""
    block = b"\x00\xc8\x00\x80\x23\x80"
    length = 7 + len(block)
    header = bytes(
        (0xFF, 0xF1, 0x4C, 0x40 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC)
    )
    frames = milliseconds * AAC_RATE // 1000 // AAC_FRAME_SAMPLES + 1
    return _id3(comment) + (header + block) * frames


def _id3(comment: bytes) -> bytes:
    body = b"\x00eng\x00" + comment
    frame = b"COMM" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = len(frame)
    synchsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + synchsafe + frame


def wav(milliseconds: int, rate: int, encoding: str, comment: bytes) -> bytes:
    """Return RIFF WAVE, mono: linear16, mulaw or alaw. Source: RFC 2361."""
    code, width = {"linear16": (1, 2), "alaw": (6, 1), "mulaw": (7, 1)}[encoding]
    samples = pcm(milliseconds, rate, encoding)
    form = struct.pack("<HHIIHH", code, 1, rate, rate * width, width, 8 * width)
    note = comment + b"\0" * (1 + (len(comment) + 1) % 2)
    chunks = _riff(b"fmt ", form) + _riff(b"LIST", b"INFO" + _riff(b"ICMT", note))
    chunks += _riff(b"data", samples + b"\0" * (len(samples) % 2), len(samples))
    return _riff(b"RIFF", b"WAVE" + chunks)


def _riff(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


def pcm(milliseconds: int, rate: int, encoding: str) -> bytes:
    """Return bare samples of silence."""
    count = milliseconds * rate // 1000
    silence = {"linear16": b"\0\0", "mulaw": b"\xff", "alaw": b"\xd5"}[encoding]
    return silence * max(1, count)


def flac(milliseconds: int, rate: int, comment: bytes) -> bytes:
    """Return blocks that are constantly zero. Source: RFC 9639."""
    blocks = max(1, -(-milliseconds * rate // 1000 // FLAC_BLOCK))
    total = blocks * FLAC_BLOCK
    # Sample rate in 20 bits, channels less one in 3, bits per sample less one in 5, total in 36.
    packed = (rate << 44 | 15 << 36 | total).to_bytes(8, "big")
    info = struct.pack(">HH", FLAC_BLOCK, FLAC_BLOCK) + bytes(6) + packed + bytes(16)
    vendor = b"groundfog"
    entry = b"COMMENT=" + comment
    tags = struct.pack("<I", len(vendor)) + vendor + struct.pack("<II", 1, len(entry)) + entry
    metadata = b"\x00" + len(info).to_bytes(3, "big") + info
    metadata += b"\x84" + len(tags).to_bytes(3, "big") + tags
    return b"fLaC" + metadata + b"".join(map(_flac_frame, range(blocks)))


def _flac_frame(number: int) -> bytes:
    # Fixed block size of 4,096 samples, rate and depth as in the header, one channel.
    header = b"\xff\xf8\xc0\x00" + _utf8_number(number)
    header += bytes([_crc8(header)])
    body = header + b"\x00\x00\x00"  # a constant subframe whose value is zero
    return body + _crc16(body).to_bytes(2, "big")


def _utf8_number(number: int) -> bytes:
    return chr(number).encode()  # 600 s make fewer than 55,296 blocks, where surrogates begin


def _crc8(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
        for _ in range(8):
            check = (check << 1 ^ 0x07 if check & 0x80 else check << 1) & 0xFF
    return check


def _crc16(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte << 8
        for _ in range(8):
            check = (check << 1 ^ 0x8005 if check & 0x8000 else check << 1) & 0xFFFF
    return check


def ogg_opus(milliseconds: int, comment: bytes) -> bytes:
    """Return Opus in Ogg. Source: RFC 3533; RFC 7845."""
    head = b"OpusHead" + struct.pack("<BBHIHB", 1, 1, 0, 48_000, 0, 0)
    vendor, entry = b"groundfog", b"COMMENT=" + comment
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor
    tags += struct.pack("<II", 1, len(entry)) + entry
    # A comment fits on one page: `binary.mark` limits its length.
    pages = [_ogg_page([head], 0, 0, 0x02), _ogg_page([tags], 0, 1, 0x00)]
    left = max(1, -(-milliseconds // OPUS_PACKET_MS))
    granule = 0
    while left:
        count = min(left, OGG_PACKETS_PER_PAGE)
        left -= count
        granule += count * OPUS_PACKET_MS * 48
        kind = 0x00 if left else 0x04
        pages.append(_ogg_page([OPUS_PACKET] * count, granule, len(pages), kind))
    return b"".join(pages)


def _ogg_page(packets: list[bytes], granule: int, number: int, kind: int) -> bytes:
    lengths = b"".join(
        bytes([255] * (len(packet) // 255) + [len(packet) % 255]) for packet in packets
    )
    head = b"OggS" + struct.pack("<BBqII", 0, kind, granule, 1, number)
    rest = bytes([len(lengths)]) + lengths + b"".join(packets)
    check = _ogg_crc(head + bytes(4) + rest)
    return head + struct.pack("<I", check) + rest


@cache
def _ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        check = byte << 24
        for _ in range(8):
            check = (check << 1 ^ 0x04C11DB7 if check & 0x80000000 else check << 1) & 0xFFFFFFFF
        table.append(check)
    return table


def _ogg_crc(data: bytes) -> int:
    table = _ogg_table()
    check = 0
    for byte in data:
        check = (check << 8 & 0xFFFFFFFF) ^ table[check >> 24 ^ byte]
    return check
