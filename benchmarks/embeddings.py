"""Embeddings of short texts per second, as `env.AI` makes them, in this process."""

from __future__ import annotations

import asyncio
import time
from random import Random

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from bindings.ai.ai import Ai

MODEL = "@cf/baai/bge-base-en-v1.5"
BATCHES, BATCH = 20, 100  # a call may have at most a hundred texts
WORDS, VOCABULARY = 10, 5_000  # words of a text, and different words to choose from

TEXTS = Figure("embeddings of short texts", Unit.PER_SECOND, goal=2_000)


def measure(peer: Peer) -> dict[str, list[float]]:
    """Return nothing for the rivals: they ask Cloudflare."""
    if peer.name != "groundfog":
        return {}
    return {TEXTS.name: [asyncio.run(_rate())]}


async def _rate() -> float:
    """Return texts per second; no text occurs twice, and no word of an earlier repetition."""
    random = Random()
    vocabulary = [_word(random) for _ in range(VOCABULARY)]
    batches = [[_text(random, vocabulary) for _ in range(BATCH)] for _ in range(BATCHES)]
    ai = Ai([])
    began = time.perf_counter()
    for texts in batches:
        answer = await ai.run(MODEL, {"text": texts})
        assert answer["shape"] == [BATCH, 768]
    return BATCHES * BATCH / (time.perf_counter() - began)


def _word(random: Random) -> str:
    return "".join(random.choices("etaoinshrdlu", k=random.randint(3, 9)))


def _text(random: Random, vocabulary: list[str]) -> str:
    return " ".join(random.choices(vocabulary, k=WORDS))


PROGRAM = Program(figures=(TEXTS,), repetitions=3, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
