"""Models that look at pictures. Pure.

Nothing is recognised. A picture made here is described by its prompt. For any other picture, the
answers depend on its bytes, so that the same picture always gets the same answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from bindings.ai.binary import marked_text, to_bytes
from bindings.ai.language import words
from bindings.ai.pictures import size_of

CLASSES = """Egyptian cat,golden retriever,espresso,laptop computer,sports car,daisy,
acoustic guitar,lighthouse,bicycle,bookcase,coffee mug,umbrella,castle,orange,sailboat,
tabby cat,mountain,teapot,wall clock,violin""".replace("\n", "").split(
    ","
)  # some of ImageNet's thousand
THINGS = """person,bicycle,car,bus,train,boat,bench,bird,cat,dog,horse,sheep,cow,backpack,umbrella,
bottle,cup,bowl,banana,apple,chair,couch,bed,laptop,keyboard,book,clock,vase""".replace(
    "\n", ""
).split(",")  # some of COCO's eighty
TOP = 5
SCORES = (0.62, 0.17, 0.09, 0.05, 0.02)
DESCRIPTION_MAX_WORDS = 60


def classify(values: Any) -> list[dict[str, Any]]:
    """Return five classes, `{label, score}`, likeliest first."""
    content = _picture(values)
    said = _named(CLASSES, content)
    labels = [*said, *(name for name in _shuffled(CLASSES, content) if name not in said)][:TOP]
    return [{"label": label, "score": score} for label, score in zip(labels, SCORES, strict=True)]


def detect(values: Any) -> list[dict[str, Any]]:
    """Return what was "seen", `{label, score, box}`, each box inside the picture."""
    content = _picture(values)
    width, height = size_of(content)
    labels = _named(THINGS, content) or _shuffled(THINGS, content)[:2]
    found = []
    for place, label in enumerate(labels[:TOP]):
        left, top, right, bottom = _digest(f"{label}{place}", content)[:4]
        box = {
            "xmin": left * width // 512,
            "ymin": top * height // 512,
            "xmax": width - right * width // 512,
            "ymax": height - bottom * height // 512,
        }
        found.append({"label": label, "score": round(0.99 - 0.06 * place, 2), "box": box})
    return found


def describe(values: Any) -> str:
    """Return a sentence about the picture."""
    content = _picture(values)
    text = marked_text(content)
    if text:
        return f"A picture of {' '.join(text.split()[:DESCRIPTION_MAX_WORDS])}"
    width, height = size_of(content)
    things = " and ".join(f"a {name}" for name in _shuffled(THINGS, content)[:2])
    return f"A picture of {width} by {height} pixels that may show {things}"


def _picture(values: Any) -> bytes:
    return to_bytes(values["image"] if isinstance(values, Mapping) else values, "image")


def _named(labels: list[str], content: bytes) -> list[str]:
    """Return the labels that are in the prompt of a picture made here."""
    said = set(words(marked_text(content) or ""))
    return [label for label in labels if said & set(words(label))]


def _shuffled(labels: list[str], content: bytes) -> list[str]:
    return sorted(labels, key=lambda label: _digest(label, content))


def _digest(salt: str, content: bytes) -> bytes:
    whole = hashlib.blake2b(content, digest_size=16).digest()
    return hashlib.blake2b(salt.encode() + whole, digest_size=8).digest()
