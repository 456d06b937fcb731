"""Words, sentences and likeness: the little that every stub needs to know about text.

Pure and deterministic: no hash(), no random, and only float operations that IEEE 754 rounds the
same way everywhere, so that an answer is the same on every machine and Python version.

Likeness compares words, not meaning. A text becomes weighted features: the stem of each word, and
with less weight the letter groups of the word, so that inflections and compounds are near
("migrate", "migrations"). Words that say little about a subject have little or no weight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

from bindings.ai.pieces import pieces

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
TOKEN = re.compile(r"\w+|[^\w\s]")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
BULLET = re.compile(r"\s*(?:[-*•#]+|\d+[.)])\s+")  # to be matched at the start: quadratic elsewhere
WISH = re.compile(r"\b(?:want|need|looking for|would like|must|please|goal is)\b", re.IGNORECASE)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

STOP_WORDS = frozenset(
    """a about above across after again against all almost along already also although always am
    among an and any are aren't around as at away back be became because become been before being
    below between both but by can can't cannot could couldn't did didn't do does doesn't doing
    don't done down during each either else enough etc even ever every few for from further get
    gets getting give go goes going got had has have haven't having he her here hers herself him
    himself his how however i i'd i'll i'm i've if in instead into is isn't it it's its itself
    just keep kind least less let let's like made make makes making many may me might mine more
    most much must my myself neither never no nor not now of off often on once one only onto or
    other others our ours ourselves out over own per perhaps please put rather really said same
    say see seem several shall she should shouldn't since so some something still such take than
    that that's the their theirs them themselves then there there's these they they're thing
    things this those though through thus to together too toward try under until up upon us very
    via want wants was wasn't way we we'd we'll we're we've well were weren't what when where
    whether which while who whole whom whose why will with within without won't would wouldn't yes
    yet you you'd you'll you're you've your yours yourself""".split()
)

# Words that every brief and description has: they count, but they do not show the subject.
WEAK_WORDS = frozenset(
    """able add ahead aim allow already although answer apply approach area ask asked available
    based basic begin best better big bit book both brief briefs bring build building built business
    call care case cases certain change changes check choose clear clearly client clients close
    combine come comes common company complete consider contain continue cost costs could cover
    create created creates creating current currently customer customers daily day days deal
    decide deliver depend describe description design detail details develop different difficult
    directly early easily easy effect effort end ensure entire exist existing expect experience
    explain fact far fast fewer final find first fit five fix follow following form forward four
    full fully future general goal goals good great group grow hand handle happen hard help
    helps high hold hope hour hours idea immediately important improve include includes
    including increase input instead issue issues item items keep key know known large last late
    later lead learn leave left level life likely limited list little live local long longer
    look looking lot low main maintain major manage matter mean means meet mention mind month
    months move name nature near need needed needs new next nice nobody nothing number offer
    office old open order organisation organization overall part particular past people perform
    person place plan plans platform point possible prefer prepare present probably problem
    problems process produce product project projects proper provide provides question questions
    quick quickly quite range ready real reason recent reduce regular related remain report
    require required requires respond response rest result results return right role run running
    second section sense separate serve service services set show shows side simple simply
    single situation six skill skills small solution solve someone soon sort specific spend
    staff start started state stay step steps stop strong structure stuff succeed suitable
    support sure system systems table task tasks team teams tell ten term test text third
    thought three time times today told tool tools topic total turn two type types understand
    use used useful user users uses using usual usually value various want week weeks whatever
    will willing word words work worked working works world worth write year years""".split()
)
LEAD_BONUS = 1.5
WISH_BONUS = 1.5  # a sentence that wants something says what the text is for
SENTENCE_WORDS_MIN, SENTENCE_WORDS_MAX = 6, 24  # shorter and longer ones tell less
WRAPPED_LINE_MIN_CHARS = 50
WORD_MAX_CHARS = 100  # the rest of a longer "word" is ignored
UNSPACED_SCRIPTS = "\u2e80"  # Chinese, Japanese and others lie above
WEAK_WEIGHT = 0.35
GRAM_WEIGHT = 0.5  # of all letter groups of a word together; its stem has 1

SUFFIXES = (
    "izations isations ization isation ations ingly ation ments ities ances ences iness ment ings "
    "able ible ance ence ness less edly ates ated ator tion sion ies ing ity ers ive ous ate ize "
    "ise ful ion est ist ism ied eds ly es ed er al ic e s y"
).split()


def words(text: str) -> list[str]:
    """Return the lower-case words of `text` in order; `camelCase` and `snake_case` are split."""
    return [
        word[:WORD_MAX_CHARS]
        for piece in pieces(text)
        for word in WORD.findall(CAMEL.sub(" ", piece).lower().replace("’", "'"))
    ]


def is_content_word(word: str) -> bool:
    return word not in STOP_WORDS and (len(word) > 1 or not word.isascii())


def count_tokens(text: str) -> int:
    """Return roughly how many tokens a model would count."""
    return sum(1 + len(token) // 8 for piece in pieces(text) for token in TOKEN.findall(piece))


def sentences(text: str) -> list[str]:
    """Return the sentences, list items and headings of `text` that contain a word, trimmed."""
    parts = (_without_bullet(part).strip() for part in SENTENCE_END.split(_unwrap(text)))
    return [part for part in parts if WORD.search(part)]


def _without_bullet(text: str) -> str:
    bullet = BULLET.match(text)
    return text if bullet is None else text[bullet.end() :]


def _unwrap(text: str) -> str:
    """Join lines that were broken only to fit a width; keep the other line breaks."""
    joined: list[str] = []
    previous = ""
    for line in text.splitlines():
        wraps = (
            len(previous) >= WRAPPED_LINE_MIN_CHARS
            and previous.rstrip()[-1:] not in (".", "!", "?", ":", ";")
            and line.strip()
            and not BULLET.match(line)
        )
        joined.append((" " if wraps else "\n") + line.strip())
        previous = line
    return "".join(joined)


@lru_cache(maxsize=8192)
def word_features(word: str) -> tuple[tuple[str, float], ...]:
    """Return the features of one word with their weights; empty for a stop word."""
    if not is_content_word(word):
        return ()
    weight = WEAK_WEIGHT if word in WEAK_WORDS or stem(word) in WEAK_STEMS else 1.0
    if max(word) >= UNSPACED_SCRIPTS:  # no spaces between words: letters and pairs count
        grams = [*word, *(word[i : i + 2] for i in range(len(word) - 1))]
        return tuple((gram, len(gram) / 2) for gram in grams)
    sizes = (3, 4)
    marked = f"<{word}>"
    grams = [marked[i : i + size] for size in sizes for i in range(len(marked) - size + 1)]
    share = weight * GRAM_WEIGHT / math.sqrt(max(1, len(grams)))
    return ((stem(word), weight), *((gram, share) for gram in grams))


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return `word` without its inflection, roughly: migrations, migrating → migr."""
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)]
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word


WEAK_STEMS = frozenset(stem(word) for word in WEAK_WORDS)


def profile(text: str) -> dict[str, float]:
    """Return the weighted features of `text`; a word said n times counts √n times."""
    counts: dict[str, int] = {}
    for word in words(text):
        counts[word] = counts.get(word, 0) + 1
    features: dict[str, float] = {}
    for word, count in counts.items():
        factor = math.sqrt(count)
        for feature, weight in word_features(word):
            features[feature] = features.get(feature, 0.0) + weight * factor
    return features


def coverage(part: dict[str, float], whole: dict[str, float]) -> float:
    """Return how much of `part` is in `whole`: 0 when they have nothing in common.

    Compare it between parts of one whole only.
    """
    length = math.sqrt(math.fsum(weight * weight for weight in part.values()))
    if not length:
        return 0.0
    shared = math.fsum(
        weight * math.sqrt(whole[feature]) for feature, weight in part.items() if feature in whole
    )
    return shared / length


def likeness(one: dict[str, float], other: dict[str, float]) -> float:
    """Return the cosine of two profiles, 0 to 1."""
    shared = math.fsum(one[feature] * other[feature] for feature in one if feature in other)
    lengths = math.fsum(w * w for w in one.values()) * math.fsum(w * w for w in other.values())
    return shared / math.sqrt(lengths) if lengths else 0.0


def rank_sentences(text: str) -> list[str]:
    """Return the different sentences of `text`; those that say most come first."""
    found = list(dict.fromkeys(sentences(text)))
    whole = profile(text)

    def telling(sentence: str) -> float:
        own = profile(sentence)
        length = len(words(sentence))
        fitting = min(1.0, length / SENTENCE_WORDS_MIN, SENTENCE_WORDS_MAX / max(1, length))
        if WISH.search(sentence):
            fitting *= WISH_BONUS
        return fitting * math.fsum(w * whole[f] for f, w in own.items()) / math.sqrt(len(own) or 1)

    # A text says early what it is about.
    scores = {
        text: telling(text) * (1 + LEAD_BONUS / (1 + place)) for place, text in enumerate(found)
    }
    return sorted(found, key=lambda sentence: -scores[sentence])


def key_phrases(text: str) -> list[str]:
    """Return words and pairs of words that show the subject of `text`, best first."""
    scores: dict[str, float] = {}
    for sentence in sentences(text):
        found = words(sentence)
        for position, word in enumerate(found):
            weight = _phrase_weight(word)
            if not weight:
                continue
            scores[word] = scores.get(word, 0.0) + weight
            following = found[position + 1] if position + 1 < len(found) else ""
            if _phrase_weight(following) == 1.0 == weight:
                pair = f"{word} {following}"
                scores[pair] = scores.get(pair, 0.0) + 1.5
    ranked = sorted(scores, key=lambda phrase: (-scores[phrase], phrase))
    return _without_repetition(ranked)


def _phrase_weight(word: str) -> float:
    if len(word) < 3 or not is_content_word(word) or word.isdigit():
        return 0.0
    return WEAK_WEIGHT if word in WEAK_WORDS or stem(word) in WEAK_STEMS else 1.0


def _without_repetition(phrases: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    kept = []
    for phrase in phrases:
        stems = {stem(word) for word in phrase.split()}
        if not stems & seen:
            kept.append(phrase)
            seen |= stems
    return kept


def cut_words(text: str, max_chars: int) -> str:
    """Return `text` cut to `max_chars` characters, between words where possible."""
    if len(text) <= max_chars:
        return text
    cut = text[:max_chars]
    shorter = cut.rpartition(" ")[0].rstrip(" ,;:-–")
    return shorter or cut
