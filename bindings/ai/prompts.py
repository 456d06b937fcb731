"""The question to a text model, from any form of inputs: instructions and subject. Pure.

The subject is the last message of the user; the instructions are the system's words. The stubs work
on the subject, and look up their words in the instructions. They look only at the beginning and the
end of a very long text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bindings.ai.language import key_phrases, profile, rank_sentences, sentences, stem, words

LOOK_CHARS = 64 * 1024  # of a text that a stub looks at
FOUND_CHARS = 200  # a longer word is not searched for a schema's pattern
_NUMBERED_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_LINK = re.compile(r"https?://[^\s<>\"')\]]+")
# The part before the @ has a limit and begins at the start of a word. Otherwise each letter of a
# long word would be tried as a beginning.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,255}(?:\.[\w-]{1,255}){1,10}")
_NAME = re.compile(r"(?<=[\w,;] )[^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]*)*")


@dataclass(frozen=True)
class Prompt:
    """A prompt, made by `prompt_of`. The patterns of rules are searched in `everything`.

    asked: the last words of the user, also after a tool has answered. results: what tools have
    returned since.
    """

    subject: str
    instructions: str = ""
    everything: str = field(default="")
    asked: str = ""
    results: str = ""

    @cached_property
    def profile(self) -> dict[str, float]:
        return profile(self.subject)

    @cached_property
    def sentences(self) -> list[str]:
        return rank_sentences(self.subject) or [self.subject.strip() or "Nothing was asked."]

    @cached_property
    def subject_clauses(self) -> list[str]:
        return clauses(self.subject)

    @cached_property
    def instruction_clauses(self) -> list[str]:
        return clauses(self.instructions)

    @cached_property
    def names(self) -> list[str]:
        """Words with a capital letter inside sentences; neighbours are taken together."""
        found = [name for sentence in self.sentences for name in _NAME.findall(sentence)]
        return list(dict.fromkeys(found))

    @cached_property
    def stems(self) -> list[tuple[str, frozenset[str]]]:
        """The sentences in their order, each with the stems of its words."""
        return [
            (text, frozenset(stem(word) for word in words(text)))
            for text in sentences(self.subject)
        ]

    @cached_property
    def ranked_stems(self) -> list[tuple[str, frozenset[str]]]:
        """The same; sentences that say most come first."""
        return [(text, frozenset(stem(word) for word in words(text))) for text in self.sentences]

    @cached_property
    def written(self) -> list[str]:
        """The texts between blanks, each once."""
        found = dict.fromkeys(self.subject.split())
        return [text for text in found if len(text) <= FOUND_CHARS]

    @cached_property
    def emails(self) -> list[str]:
        return _EMAIL.findall(self.subject)

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(self.subject)

    @cached_property
    def dates(self) -> list[str]:
        return _NUMBERED_DATE.findall(self.subject)

    @cached_property
    def phrases(self) -> list[str]:
        return key_phrases(self.subject) or ["nothing"]


def clauses(text: str) -> list[str]:
    """Return the sentences of `text`, split at semicolons, each as `" word word "`."""
    parts = (part for sentence in sentences(text) for part in sentence.split(";"))
    return [f" {' '.join(words(part))} " for part in parts]


def excerpt(text: str) -> str:
    """Return the part of `text` that is looked at: all of it, or its beginning and its end."""
    if len(text) <= LOOK_CHARS:
        return text
    return f"{text[: LOOK_CHARS // 2]}\n{text[-LOOK_CHARS // 2 :]}"


def prompt_of(
    subject: str, instructions: str, everything: str, asked: str | None = None, results: str = ""
) -> Prompt:
    asked = subject if asked is None else asked
    return Prompt(
        excerpt(subject), excerpt(instructions), everything, excerpt(asked), excerpt(results)
    )


def from_text(text: str) -> Prompt:
    return prompt_of(text, "", text)


def from_messages(messages: list[Mapping[str, Any]], instructions: str = "") -> Prompt:
    """Return the prompt of a conversation; its subject is the last message of the user."""
    texts = [(message.get("role"), content_text(message.get("content"))) for message in messages]
    system = "\n".join(text for role, text in texts if role in ("system", "developer"))
    spoken = [text for role, text in texts if role in ("user", "tool", None) and text]
    others = [text for _, text in texts if text]
    subject = spoken[-1] if spoken else others[-1] if others else ""
    asked, results = _asked(messages)
    return prompt_of(
        subject,
        asked=asked,
        results=results,
        instructions="\n".join(part for part in (instructions, system) if part),
        everything="\n".join([*([instructions] if instructions else []), *others]),
    )


def _asked(messages: list[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the last words of the user, and what tools have returned after them."""
    asked, results = "", []
    for message in messages:
        text = content_text(message.get("content"))
        if message.get("type") == "function_call_output":  # of the Responses API
            results.append(str(message.get("output") or ""))
        elif message.get("role") == "tool":
            results.append(text)
        elif message.get("role") in ("user", None) and text:
            asked, results = text, []
    return asked, "\n".join(results)


def content_text(content: Any) -> str:
    """Return the text of a message's content: a string, or parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            part["text"]
            for part in content
            if isinstance(part, Mapping) and isinstance(part.get("text"), str)
        )
    return ""
