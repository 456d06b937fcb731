"""Values for JSON mode, taken from the prompt: choices, strings, numbers, booleans. Pure.

Each yields its best guess first, then others in case the schema refuses the first.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Any

from bindings.ai.associations import RELATED
from bindings.ai.language import (
    WEAK_STEMS,
    WEAK_WEIGHT,
    coverage,
    cut_words,
    is_content_word,
    profile,
    stem,
    words,
)
from bindings.ai.prompts import Prompt, clauses
from bindings.ai.schema_document import Document, judge

LABEL_WORDS = frozenset(
    stem(word)
    for word in "name title label topic category tag keyword skill phrase theme subject "
    "technology entity term area domain".split()
)
# Properties whose values are proper names: the prompt writes them with a capital letter.
NAMED_WORDS = frozenset(
    stem(word)
    for word in "city country place location region town street person customer author recipient "
    "company brand product destination origin".split()
)
UNDECIDED = frozenset("other others unknown none general unclear misc miscellaneous".split())
OWN_WEIGHT, DESCRIBED_WEIGHT, RELATED_WEIGHT = 2.0, 2.5, 0.6
DEGREES = {"trivial": 0, "low": 1, "small": 1, "simple": 1, "short": 1, "easy": 1}
DEGREES |= {"medium": 2, "moderate": 2, "normal": 2}
DEGREES |= {"high": 3, "large": 3, "complex": 3, "long": 3, "hard": 3, "critical": 4}
DEGREE_WORDS = 120  # each further 120 words of the prompt are one degree more
WEAKEST_EVIDENCE = 0.3
LONGEST_STRING = 20_000  # a schema that demands more is not satisfied
SENTENCE_CHARS = 2_000  # a longer "sentence" is cut, unless more is demanded
HINT_WORDS = 4  # words of a property's name, before its description
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:[ ,]\d{3})*(?:\.\d+)?")
FALLBACK_DATE = "2026-01-01"
PADDING = " and so on"


def rank_choices(members: list[Any], hint: str, prompt: Prompt, document: Document) -> list[Any]:
    """Return the members of an enum; the one that the prompt is most about comes first.

    Evidence for a choice: its own words; words that are usual in texts about it; clauses of the
    instructions or of the property's description that name it and no other choice. A list of the
    choices in the prompt is no evidence. Without evidence, "other" and similar words come first,
    and degrees ("low" to "high") follow the length of the prompt.
    """
    names = [member for member in members if isinstance(member, str)]
    if len(names) < 2:
        return members
    about: dict[str, str] = dict.fromkeys(names, "")
    subject: list[str] = []
    spoken = {name: f" {' '.join(words(name))} " for name in names}
    told = (*clauses(hint), *prompt.instruction_clauses)
    document.spend(len(names) * (3 + (len(told) + len(prompt.subject_clauses)) // 4))
    for clause in told:
        named = [name for name, phrase in spoken.items() if phrase in clause]
        if len(named) == 1:
            about[named[0]] += clause
    for clause in prompt.subject_clauses:
        if sum(phrase in clause for phrase in spoken.values()) < 2:
            subject.append(clause)
    said = _stem_weights("".join(subject))
    scores = {name: _score_choice(name, about[name], said) for name in names}
    if max(scores.values()) < WEAKEST_EVIDENCE:
        for name in _without_evidence(names, len(words(prompt.subject))):
            scores[name] += 1
    # Members that are not strings come last, in their order; sorting is stable.
    return sorted(members, key=lambda m: -scores[m] if isinstance(m, str) else math.inf)


def _stem_weights(text: str) -> dict[str, float]:
    """Return how much each stem counts: the square root of how often it was said."""
    weights: dict[str, float] = {}
    for word in words(text):
        if is_content_word(word):
            weights[stem(word)] = math.sqrt(weights.get(stem(word), 0.0) ** 2 + 1)
    return weights


def _score_choice(name: str, about: str, said: dict[str, float]) -> float:
    """Return how many of the words of a choice were said; its own words count most."""
    own = {stem(word) for word in words(name) if is_content_word(word)}
    own_weight = OWN_WEIGHT if name.lower() not in DEGREES else 0.0  # a price may be "low" too
    described = {stem(word) for word in words(about) if is_content_word(word)} - own
    related = {root for word in own for root in RELATED.get(word, ())} - own - described
    own_weight /= max(1, len(own))
    described_weight = DESCRIBED_WEIGHT / math.sqrt(max(1, len(described)))
    return (
        own_weight * math.fsum(said.get(root, 0.0) * _weight(root) for root in sorted(own))
        + described_weight
        * math.fsum(said.get(root, 0.0) * _weight(root) for root in sorted(described))
        + RELATED_WEIGHT * math.fsum(said.get(root, 0.0) for root in sorted(related))
    )


def _weight(root: str) -> float:
    return WEAK_WEIGHT if root in WEAK_STEMS else 1.0


def _without_evidence(names: list[str], length: int) -> list[str]:
    """Return the choices in order, for a text of `length` words that names none of them."""
    undecided = [name for name in names if UNDECIDED & set(words(name))]
    degrees = [name for name in names if name.lower() in DEGREES]
    if undecided or len(degrees) < 2:
        return undecided
    degrees.sort(key=lambda name: DEGREES[name.lower()])
    return [degrees[min(length // DEGREE_WORDS, len(degrees) - 1)]]


def strings(
    flat: dict[str, Any], hint: str, index: int, prompt: Prompt, document: Document
) -> Iterator[str]:
    """Yield texts for a string schema, `index` choosing another for each item of a list."""
    shortest, longest = flat.get("minLength", 0), flat.get("maxLength")
    if shortest > LONGEST_STRING:
        return
    for text in _raw_strings(flat, hint, index, prompt, document):
        document.spend(1 + (len(text) + int(shortest)) // 10)
        padded = text + PADDING * -(-max(0, int(shortest) - len(text)) // len(PADDING))
        yield padded if longest is None else cut_words(padded, int(longest))
    for text in _raw_strings(flat, hint, index, prompt, document):
        document.spend(1 + (len(text) + int(shortest)) // 10)
        yield (text + PADDING * int(shortest))[: int(longest) if longest is not None else None]


def _raw_strings(
    flat: dict[str, Any], hint: str, index: int, prompt: Prompt, document: Document
) -> Iterator[str]:
    patterns = flat.get("patterns", [])
    if patterns:
        if judge(patterns[0]) is not None:
            found = [word for word in prompt.written if document.matches(patterns[0], word)]
            yield from found[index : index + 3]
        made = document.examples(patterns[0], int(flat.get("minLength", 0)))
        yield from made[index % max(1, len(made)) :]
        yield from made
    yield from _formatted(str(flat.get("format", "")), hint, index, prompt)
    named = {stem(word) for word in words(hint)[:HINT_WORDS]}
    if NAMED_WORDS & named and prompt.names:
        yield _nth(prompt.names, index)
    is_label = bool(LABEL_WORDS & named)
    if is_label:
        yield _nth(prompt.phrases, index)
    yield _nth(_sentences_about(hint, prompt, document), index)
    yield _nth(prompt.phrases, index)
    yield f"{_nth(prompt.phrases, index)} {index + 1}"


def _nth(texts: list[str], index: int) -> str:
    return texts[index % len(texts)]


def _sentences_about(hint: str, prompt: Prompt, document: Document) -> list[str]:
    """Return the prompt's sentences; those with a word of the property's name come first."""
    wanted = {stem(word) for word in words(hint)[:HINT_WORDS] if is_content_word(word)}
    document.spend(len(prompt.ranked_stems))
    ranked = sorted(prompt.ranked_stems, key=lambda found: -len(wanted & found[1]))
    return [cut_words(text, SENTENCE_CHARS) for text, _ in ranked]


def _formatted(name: str, hint: str, index: int, prompt: Prompt) -> Iterator[str]:
    if not name:
        return
    digest = hashlib.blake2b(f"{hint}\0{index}\0{prompt.subject}".encode(errors="replace"))
    code = digest.hexdigest()
    match name:
        case "email":
            yield _nth(prompt.emails or [f"person{index + 1}@example.com"], index)
        case "date":
            yield _nth(prompt.dates or [FALLBACK_DATE], index)
        case "date-time":
            yield f"{_nth(prompt.dates or [FALLBACK_DATE], index)}T00:00:00Z"
        case "time":
            yield "09:00:00Z"
        case "duration":
            yield "P1D"
        case "uri" | "url":
            yield _nth(prompt.links or [f"https://example.com/{code[:8]}"], index)
        case "hostname":
            yield "example.com"
        case "ipv4":
            yield "192.0.2.1"
        case "ipv6":
            yield "2001:db8::1"
        case "uuid":
            yield f"{code[:8]}-{code[8:12]}-4{code[13:16]}-8{code[17:20]}-{code[20:32]}"


def numbers(
    flat: dict[str, Any], hint: str, index: int, prompt: Prompt, *, whole: bool
) -> Iterator[float]:
    """Yield numbers for a number schema: from the prompt, then inside the bounds."""
    step = flat.get("multipleOf") or (1 if whole else None)
    low = max(flat.get("minimum", -math.inf), flat.get("exclusiveMinimum", -math.inf))
    high = min(flat.get("maximum", math.inf), flat.get("exclusiveMaximum", math.inf))
    found = [n for n in _numbers_about(hint, prompt) if low <= n <= high]
    middle = _inside(low, high)
    for guess in [*found[index : index + 3], middle + (index if whole else 0), middle, low, high]:
        if not math.isfinite(guess):
            continue
        if step is None:
            yield guess
            continue
        for count in (
            math.floor(guess / step),
            math.ceil(guess / step),
            math.floor(guess / step) + 1,
        ):
            value = count * step
            yield int(value) if value == value // 1 else value
    yield 0


def _inside(low: float, high: float) -> float:
    """Return a number three quarters of the way from low to high, or near the only bound."""
    if math.isfinite(low) and math.isfinite(high):
        return round(low + (high - low) * 0.75, 2) if high - low > 0.1 else (low + high) / 2
    if math.isfinite(low):
        return low + 1
    return high - 1 if math.isfinite(high) else 1


def _numbers_about(hint: str, prompt: Prompt) -> list[float]:
    """Return the numbers in sentences about `hint`; the sentence nearest to it comes first."""
    wanted = {stem(word) for word in words(hint)[:HINT_WORDS]}
    found: list[float] = []
    for sentence, stems in prompt.stems:
        if wanted & stems:
            for text in NUMBER.findall(sentence):
                value = float(text.replace(",", "").replace(" ", ""))
                found.append(int(value) if value == value // 1 else value)
    return found


def boolean(hint: str, prompt: Prompt) -> bool:
    """Return whether the prompt has words of the property's name."""
    return coverage(profile(hint), prompt.profile) >= WEAKEST_EVIDENCE
