"""What is asked of a text model, whatever the inputs looked like: instructions and subject. Pure.

The subject is what the user wrote last; the instructions are the system's words. The stubs work
on the subject, and look into the instructions for what a word of theirs means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bindings.ai.language import key_phrases, profile, rank_sentences, sentences, words

_NAME = re.compile(r"(?<=[\w,;] )[^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]*)*")


@dataclass(frozen=True)
class Prompt:
    """A prompt. `everything` is what `[[ai.rules]]` patterns are searched in."""

    subject: str
    instructions: str = ""
    everything: str = field(default="")

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
        """Words with a capital letter that begin no sentence, neighbours taken together."""
        found = [name for sentence in self.sentences for name in _NAME.findall(sentence)]
        return list(dict.fromkeys(found))

    @cached_property
    def phrases(self) -> list[str]:
        return key_phrases(self.subject) or ["nothing"]


def clauses(text: str) -> list[str]:
    """Return the sentences of `text`, parted at semicolons, each as `" word word "`."""
    parts = (part for sentence in sentences(text) for part in sentence.split(";"))
    return [f" {' '.join(words(part))} " for part in parts]


def from_text(text: str) -> Prompt:
    return Prompt(subject=text, everything=text)


def from_messages(messages: list[Mapping[str, Any]], instructions: str = "") -> Prompt:
    """Return the prompt of a conversation; its subject is the last message of the user."""
    texts = [(message.get("role"), content_text(message.get("content"))) for message in messages]
    system = "\n".join(text for role, text in texts if role in ("system", "developer"))
    spoken = [text for role, text in texts if role in ("user", "tool", None) and text]
    others = [text for _, text in texts if text]
    subject = spoken[-1] if spoken else others[-1] if others else ""
    return Prompt(
        subject=subject,
        instructions="\n".join(part for part in (instructions, system) if part),
        everything="\n".join([*([instructions] if instructions else []), *others]),
    )


def content_text(content: Any) -> str:
    """Return the text of a message's content: a string, or parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part
        )
    return ""
