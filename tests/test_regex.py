"""Patterns that come with data: what they find, what is not supported, and that none takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.regex import BadPattern, compile_regex

from .growth import check_growth


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("^[A-Z]{3}-[0-9]{2}$", "ABC-12", "ABC-123"),
        ("(?i)refund", "REFUND", "fund"),
        ("(?s)a.b", "a\nb", "ab"),
        (r"a\Z", "ba", "ab"),
        (r"^[\u4e00-\u9fa5]+$", "中文", "a"),
        (r"^\ud83d\ude00$", "😀", "😁"),
        (r"^\u{1F600}\x41\cA$", "😀A\x01", "😀A"),
        ("^[^]$", "\n", ""),
        (r"^\p{Lu}\p{L}*$", "Été", "été"),
        (r"(?P<word>a)(?<other>b)", "ab", "a"),
        (r"^(?!\s*$).+", " x", "  "),
        (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "abcdefG1", "abcdefgh"),
        (r"(?i)^(?!.*(spam|eggs))", "ham", "SPAM"),
        (r"^(?=[)(])(?!\)).$", "(", ")"),
    ],
)
def test_a_pattern_finds_what_it_says(pattern: str, found: str, missed: str) -> None:
    assert compile_regex(pattern).is_in(found)
    assert not compile_regex(pattern).is_in(missed)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("[", "missing ]"),
        ("(a", "missing )"),
        ("a(?!b)", "look-around is supported right behind a leading ^ alone"),
        ("^(?=a)b|c", "look-around is supported"),
        ("(?m)^(?=a)b", "look-around is supported"),
        ("^(?=(a)b", "look-around is supported"),
        (r"(a)\1", "back-references are not supported"),
        ("a" * 5_000, "longer than 4,000 characters"),
        ("((a{1000}){1000}){1000}", "invalid repetition size"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_a_wrong_pattern_is_refused_in_words(pattern: str, told: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(told)):
        compile_regex(pattern)


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "(x+x+)+y", r"(\w+\s*)+$", "(a|a)*b", "(a|aa)+$", "(a?){60}b", r"\s+$"]
)
@pytest.mark.parametrize("unit", ["a", "x", " ", "a ", "ab"])
def test_searching_takes_as_long_as_the_text(pattern: str, unit: str) -> None:
    search = compile_regex(pattern).is_in
    check_growth(search, lambda size: unit * size + "!", 20_000)


@given(st.text(max_size=30), st.text(alphabet="ab(1\n", max_size=20))
def test_any_text_is_a_pattern_or_a_bad_one(pattern: str, text: str) -> None:
    try:
        compile_regex(pattern).is_in(text)
    except BadPattern as error:
        assert str(error)


@given(st.from_regex(r"\A[ab]([ab]|[ab]\*|\(a\|b\)|[ab]\?){0,6}\Z"), st.text("abc", max_size=8))
def test_what_python_finds_is_found(pattern: str, text: str) -> None:
    assert compile_regex(pattern).is_in(text) == (re.search(pattern, text) is not None)
