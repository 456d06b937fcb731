"""Text classification: sentiment by a small word list, and reranking by likeness. Pure."""

from __future__ import annotations

from typing import Any

from bindings.ai.language import likeness, profile, stem, words

POSITIVE = frozenset(
    stem(word)
    for word in """admire amazing awesome beautiful best better brilliant charming clean clear
    delicious delight delightful easy effective elegant enjoy enjoyed excellent excited exciting
    fabulous fantastic fast favorite favourite fine flawless fun glad good gorgeous grateful great
    happy helpful helped impressed impressive incredible intuitive joy kind like liked love loved
    lovely nice outstanding perfect perfectly pleasant pleased polite powerful praise pretty
    reliable recommend recommended responsive satisfied simple smart smooth solid splendid stunning
    succeed success successful super superb terrific thank thanks thrilled useful win wonderful
    worth works""".split()
)
NEGATIVE = frozenset(
    stem(word)
    for word in """abysmal angry annoy annoyed annoying appalling atrocious awful bad boring broke
    broken bug buggy cheap clumsy complain complaint confused confusing crash crashed crashes
    cumbersome damage damaged defect defective delay delayed difficult dirty disappoint
    disappointed disappointing disaster dislike disgusting dreadful dull error errors fail failed
    fails failure fault faulty frustrated frustrating garbage hate hated horrible hostile
    ineffective inferior insult irritating junk lack lose lost lousy mediocre mess miserable
    missing mistake nasty never noisy overpriced pain painful pathetic poor poorly problem problems
    refund regret ridiculous rude sad scam scratched slow stupid terrible trouble ugly unacceptable
    unhappy unreliable unusable upset useless waste wasted weak worse worst wrong""".split()
)
NEGATIONS = frozenset("not no never none nothing hardly without".split())
NEGATION_REACH = 3  # "not a very good film"


def classify_sentiment(text: str) -> list[dict[str, Any]]:
    """Return `[{label: "NEGATIVE", score}, {label: "POSITIVE", score}]`; the scores sum to 1."""
    balance = _balance(words(text))
    # n/(1+n) of the way from undecided to certain; never 0 or 1, like a model's answer.
    certainty = abs(balance) / (1 + abs(balance)) * 0.998
    positive = round(0.5 + (certainty if balance > 0 else -certainty) / 2, 6)
    return [
        {"label": "NEGATIVE", "score": round(1 - positive, 6)},
        {"label": "POSITIVE", "score": positive},
    ]


def _balance(found: list[str]) -> int:
    balance = 0
    for position, word in enumerate(found):
        root = stem(word)
        value = (root in POSITIVE) - (root in NEGATIVE)
        before = found[max(0, position - NEGATION_REACH) : position]
        if value and any(w in NEGATIONS or w.endswith("n't") for w in before):
            value = -value
        balance += value * 3
    return balance


def rerank(query: str, texts: list[str], top_k: int | None) -> list[dict[str, Any]]:
    """Return `[{id: index of the text, score: 0 to 1}]`, best first, ties in the given order."""
    wanted = profile(query)
    scored = [
        {"id": index, "score": round(likeness(wanted, profile(text)), 6)}
        for index, text in enumerate(texts)
    ]
    scored.sort(key=lambda item: -item["score"])
    return scored[:top_k]


def similarity(source: str, sentences: list[str]) -> list[float]:
    """Return how similar each sentence is to `source`, 0 to 1."""
    wanted = profile(source)
    return [round(likeness(wanted, profile(text)), 6) for text in sentences]


# Llama Guard's hazards and words for them; `guard` looks at words only.
# Source: https://huggingface.co/meta-llama/Llama-Guard-3-8B (MLCommons taxonomy, S1 to S14).
_HAZARDS = {
    "S1": "kill murder massacre terrorist bomb assassinate shooting",
    "S2": "steal shoplift fraud counterfeit launder phishing smuggle",
    "S5": "defame libel slander",
    "S9": "nerve sarin anthrax uranium bioweapon explosive",
    "S10": "slur subhuman vermin",
    "S11": "suicide selfharm overdose",
    "S12": "porn pornographic",
    "S14": "malware ransomware keylogger botnet",
}
_HAZARD_OF = {stem(word): code for code, said in _HAZARDS.items() for word in said.split()}


def guard(text: str) -> list[str]:
    """Return the hazard categories whose words are in the text, in order; none when it is safe."""
    found = {_HAZARD_OF[stem(word)] for word in words(text) if stem(word) in _HAZARD_OF}
    return sorted(found, key=lambda code: int(code[1:]))
