"""Speech: text to sound, and sound to text. Pure.

A sound that was made here gives the text it was made from. For any other sound, the answer says how
long it is, and that it is a stand-in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from bindings.ai import sounds
from bindings.ai.binary import mark, marked_text, to_bytes
from bindings.ai.catalogue import JSON, Model
from bindings.ai.errors import bad_input
from bindings.ai.replies import Media

WORDS_PER_MINUTE = 150
MS_PER_WORD = 60_000 // WORDS_PER_MINUTE
COMPRESSED_BYTES_PER_S = 16_000  # 128 kbit/s, when the length is unknown
WORDS_PER_SEGMENT = 12
MP3_BITRATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s
# The default container and sample rate of each encoding.
# Source: https://developers.deepgram.com/docs/tts-media-output-settings.
CONTAINERS = {"linear16": "wav", "mulaw": "wav", "alaw": "wav", "opus": "ogg"}
RATES = {"linear16": 24_000, "mulaw": 8_000, "alaw": 8_000, "flac": 24_000}
RATE_MIN, RATE_MAX = 8_000, 48_000


def speak(model: Model, values: Mapping[str, Any]) -> Any:
    """Return the sound of a text: `{audio: base64}` for melotts, a file for aura."""
    text = values["prompt"] if model.media == JSON else values["text"]
    span_ms = min(sounds.SECONDS_MAX * 1000, max(1, len(text.split())) * MS_PER_WORD)
    note = mark(text)
    if model.media == JSON:
        return {"audio": base64.b64encode(sounds.mp3(span_ms, note)).decode()}
    encoding = values.get("encoding") or "mp3"
    container = values.get("container") or CONTAINERS.get(encoding, "none")
    if container != "none" and container != CONTAINERS.get(encoding):
        raise bad_input(f"container {container} cannot hold encoding {encoding}")
    rate = int(values.get("sample_rate") or RATES.get(encoding, RATE_MAX))
    if not RATE_MIN <= rate <= RATE_MAX:
        raise bad_input(f"'/sample_rate' must be >= {RATE_MIN} and <= {RATE_MAX}")
    match encoding:
        case "mp3":
            return Media(sounds.mp3(span_ms, note), "audio/mpeg")
        case "aac":
            return Media(sounds.aac(span_ms, note), "audio/aac")
        case "flac":
            return Media(sounds.flac(span_ms, rate, note), "audio/flac")
        case "opus":
            return Media(sounds.ogg_opus(span_ms, note), "audio/ogg")
        case _ if container == "wav":
            return Media(sounds.wav(span_ms, rate, encoding, note), "audio/wav")
        case _:
            kinds = {"linear16": "audio/l16", "mulaw": "audio/basic", "alaw": "audio/pcma"}
            return Media(sounds.pcm(span_ms, rate, encoding), kinds[encoding])


def transcribe(content: bytes, fixed: str | None) -> tuple[str, int]:
    """Return what was said, and how long it took in milliseconds."""
    span_ms = duration_ms(content)
    said = fixed if fixed is not None else marked_text(content)
    if said is None:
        said = (
            f"This is a local stand-in for a transcription of {span_ms / 1000:.1f} seconds "
            f"of sound, {len(content)} bytes."
        )
    return said, span_ms


def whisper(values: Any, fixed: str | None) -> dict[str, Any]:
    """Return `{text, word_count, words, vtt}`."""
    audio = values["audio"] if isinstance(values, Mapping) else values
    text, span_ms = transcribe(to_bytes(audio, "audio"), fixed)
    timed = _timed(text, span_ms)
    return {"text": text, "word_count": len(timed), "words": timed, "vtt": _vtt(_segments(timed))}


def whisper_turbo(values: Mapping[str, Any], fixed: str | None) -> dict[str, Any]:
    """Return `{transcription_info, text, word_count, segments, vtt}`."""
    text, span_ms = transcribe(to_bytes(values["audio"], "audio"), fixed)
    timed = _timed(text, span_ms)
    segments = _segments(timed)
    told = {
        "temperature": 0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.2,
        "no_speech_prob": 0.01,
    }
    return {
        "transcription_info": {
            "language": values.get("language") or "en",
            "language_probability": 1 if values.get("language") else 0.99,
            "duration": span_ms / 1000,
            "duration_after_vad": span_ms / 1000,
        },
        "text": text,
        "word_count": len(timed),
        "segments": [{**segment, **told} for segment in segments],
        "vtt": _vtt(segments),
    }


def nova(values: Mapping[str, Any], fixed: str | None) -> dict[str, Any]:
    """Return Deepgram's `{results: {channels: [{alternatives: […]}]}}`."""
    text, span_ms = transcribe(to_bytes(values["audio"], "audio"), fixed)
    timed = [{**word, "confidence": 0.99} for word in _timed(text, span_ms)]
    said = {"transcript": text, "confidence": 0.99, "words": timed}
    channel: dict[str, Any] = {"alternatives": [said]}
    if values.get("detect_language"):
        channel |= {"detected_language": "en", "language_confidence": 0.99}
    return {"results": {"channels": [channel]}}


def turn(values: Mapping[str, Any], fixed: str | None) -> dict[str, Any]:
    """Return whether the speaker has finished: for a sound made here, whether a sentence ends."""
    text, _ = transcribe(to_bytes(values["audio"], "audio"), fixed)
    is_complete = text.rstrip().endswith((".", "!", "?", "…"))
    return {"is_complete": is_complete, "probability": 0.95 if is_complete else 0.05}


def duration_ms(content: bytes) -> int:
    """Return how long a sound lasts: exactly for WAV, by the first frame for MP3, else a guess."""
    data = content.find(b"data", 12) if content.startswith(b"RIFF") else -1
    if data >= 0 and len(content) >= data + 8:
        per_second = int.from_bytes(content[28:32], "little") or COMPRESSED_BYTES_PER_S
        size = min(int.from_bytes(content[data + 4 : data + 8], "little"), len(content) - data - 8)
        return size * 1000 // per_second
    start = 0
    if content.startswith(b"ID3") and len(content) > 10:
        start = 10 + sum(
            byte << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True)
        )
    frame = content[start : start + 4]
    if len(frame) == 4 and frame[0] == 0xFF and frame[1] & 0xFE == 0xFA:
        index = frame[2] >> 4
        bitrate = MP3_BITRATES[index] if index < len(MP3_BITRATES) else 0
        if bitrate:
            return (len(content) - start) * 8 // bitrate
    return len(content) * 1000 // COMPRESSED_BYTES_PER_S


def _timed(text: str, span_ms: int) -> list[dict[str, Any]]:
    """Return each word with its seconds, spread evenly over the whole."""
    found = text.split()
    return [
        {
            "word": word,
            "start": span_ms * place // len(found) / 1000,
            "end": span_ms * (place + 1) // len(found) / 1000,
        }
        for place, word in enumerate(found)
    ]


def _segments(timed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = [timed[n : n + WORDS_PER_SEGMENT] for n in range(0, len(timed), WORDS_PER_SEGMENT)]
    return [
        {
            "start": part[0]["start"],
            "end": part[-1]["end"],
            "text": " ".join(word["word"] for word in part),
            "words": part,
        }
        for part in parts
    ]


def _vtt(segments: list[dict[str, Any]]) -> str:
    cues = [f"{_clock(s['start'])} --> {_clock(s['end'])}\n{s['text']}\n" for s in segments]
    return "\n".join(["WEBVTT\n", *cues])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    shown = f"{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
    return f"{minutes // 60:02}:{shown}" if minutes >= 60 else shown
