"""What the stub writes: a summary of the prompt, and the small text tasks. Pure.

The answer is readable and depends only on the prompt. So a page that shows it makes sense, and a
test can expect it. It does not pretend to come from a model.
"""

from __future__ import annotations

from bindings.ai.language import TOKEN, rank_sentences, sentences
from bindings.ai.prompts import Prompt, excerpt
from bindings.ai.retrieval import quoted

POINTS_MAX = 5
THEMES_MAX = 6
SHORT_PROMPT_SENTENCES = 2
SUMMARY_SENTENCES = 3


def write_answer(model: str, prompt: Prompt) -> str:
    """Return the stub's answer to a prompt: its themes and its most important sentences.

    To a question with a context it is the sentence that fits best.
    """
    if found := quoted(prompt):
        about = "it quotes what fits the question best"
        return f"This is a local stand-in for {model}; {about}.\n\n{found}"
    themes = ", ".join(prompt.phrases[:THEMES_MAX])
    opening = f"This is a local stand-in for {model}; it repeats what the prompt is about."
    said = sentences(prompt.subject)
    if len(said) <= SHORT_PROMPT_SENTENCES:
        asked = " ".join(said) or "nothing"
        return f"{opening}\n\nAsked: {asked}\n\nThemes: {themes}."
    best = set(prompt.sentences[:POINTS_MAX])
    points = "\n".join(f"- {text}" for text in dict.fromkeys(said) if text in best)
    return f"{opening}\n\nThemes: {themes}.\n\nMain points:\n{points}"


def limit_tokens(text: str, max_tokens: int) -> tuple[str, bool]:
    """Return the first `max_tokens` tokens of `text`, and whether anything was cut off."""
    ends = [match.end() for match in TOKEN.finditer(text)]
    if len(ends) <= max_tokens:
        return text, False
    return text[: ends[max_tokens - 1]] if max_tokens > 0 else "", True


def summarize(text: str, max_tokens: int) -> str:
    """Return the most important sentences of `text`, in their order."""
    text = excerpt(text)
    best = set(rank_sentences(text)[:SUMMARY_SENTENCES])
    summary = " ".join(part for part in dict.fromkeys(sentences(text)) if part in best)
    return limit_tokens(summary, max_tokens)[0]


def translate(text: str, target: str) -> str:
    """Return `text` with a mark for the wanted language. Nothing is translated."""
    return f"[{target}] {text}"
