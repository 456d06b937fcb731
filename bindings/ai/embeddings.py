"""Text embeddings: the features of a text hashed into the model's dimension, unit length.

Signed feature hashing keeps cosines: two texts are as close as the words they share. A hash is
salted with the model and its pooling. So vectors of two models do not compare, as in production.

Differs: nothing is cut at the model's context window.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

from bindings.ai.language import profile, words

DECIMALS = 8


def embed(text: str, dimensions: int, salt: str) -> list[float]:
    """Return the embedding of `text`: `dimensions` numbers whose squares sum to 1."""
    features = profile(text)
    if not features:  # only stop words, or no words at all
        features = dict.fromkeys(words(text) or [text], 1.0)
    vector = [0.0] * dimensions
    for feature, weight in features.items():
        place = _place(feature, salt)
        if place < 0:
            vector[~place % dimensions] -= weight
        else:
            vector[place % dimensions] += weight
    length = math.sqrt(math.fsum([value * value for value in vector if value]))
    if not length:  # features that cancelled out
        vector[0] = length = 1.0
    return [round(value / length, DECIMALS) if value else 0.0 for value in vector]


@lru_cache(maxsize=32_768)
def _place(feature: str, salt: str) -> int:
    """Return where a feature goes: its sign is the integer's sign, its dimension the rest."""
    digest = hashlib.blake2b(f"{salt}\0{feature}".encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
