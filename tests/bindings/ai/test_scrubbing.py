"""What is taken for a secret, what is not, and what finding out costs."""

from __future__ import annotations

from typing import Any

import pytest

from bindings.ai.scrubbing import SCRUBBED, Scrubber

from ...growth import check_growth


@pytest.mark.parametrize(
    ("value", "scrubbed"),
    [
        ({"api_key": "abc"}, {"api_key": SCRUBBED}),
        ({"Authorization": "Basic x"}, {"Authorization": SCRUBBED}),
        ({"token": "abc", "secret": 5}, {"token": SCRUBBED, "secret": SCRUBBED}),
        ({"userPassword": "x"}, {"userPassword": SCRUBBED}),
        ({"x-api-key": "x"}, {"x-api-key": SCRUBBED}),
        ({"AWS_SECRET_ACCESS_KEY": "x"}, {"AWS_SECRET_ACCESS_KEY": SCRUBBED}),
        ({"password2": "x"}, {"password2": SCRUBBED}),
        ({"credentials": {"user": ["b"]}}, {"credentials": {"user": [SCRUBBED]}}),
        ("Bearer abcdefghijklmnop123", SCRUBBED),
        ("eyJhbGciOi.eyJzdWIiOi.abcdefgh12", SCRUBBED),
        ("github_pat_11AABBCCDD0123456789", SCRUBBED),
        ("sk_live_51abcdefghijk, hf_abcdefGHIJKLmnop", f"{SCRUBBED}, {SCRUBBED}"),
        ("glpat-abcdefghij0123456789 gsk_abcdefghij0123456789", f"{SCRUBBED} {SCRUBBED}"),
        ('{"userPassword": "two words", "n": 1}', f'{{"userPassword": "{SCRUBBED}", "n": 1}}'),
        (r"{\"token\": \"two words\"}", rf"{{\"token\": \"{SCRUBBED}\"}}"),
        ("https://example.com/?token=abc&page=2", f"https://example.com/?token={SCRUBBED}&page=2"),
        ("postgres://user:pass@host/db", f"postgres://{SCRUBBED}@host/db"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nabc", f"a {SCRUBBED}"),
    ],
)
def test_a_secret_is_scrubbed(value: Any, scrubbed: Any) -> None:
    assert Scrubber().scrub(value) == scrubbed


@pytest.mark.parametrize(
    "value",
    [
        {"max_tokens": 5, "token_type": "word", "tokens": ["a", "b"], "prompt_tokens": 3},
        {"token": "Hello", "logprob": -0.1},  # what a model said, word by word
        ["plain", 1, None, True],
        "The secret: practice. A token of respect; hf_transformers = 2; name='Bob'",
    ],
)
def test_a_value_that_is_not_secret_stays(value: Any) -> None:
    assert Scrubber().scrub(value) == value


@pytest.mark.parametrize("secret", ["Bearer abcdefghijklmnop123", "token=abcdef", "s3cr3t-s3cr3t"])
def test_a_secret_is_found_wherever_a_long_text_is_cut(secret: str) -> None:
    scrubber = Scrubber(["s3cr3t-s3cr3t"])
    for before in range(65_530 - len(secret), 65_540):
        text = f"{'x' * before} {secret} end"

        assert secret[-6:] not in scrubber.scrub(text)


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ-",
        "eyJaaaaaa.",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "token=",
        "://",
        "a:",
        " ",
        "a",
    ],
)
def test_scrubbing_costs_in_step_with_the_text(unit: str) -> None:
    check_growth(Scrubber(["aaaaaaab"]).scrub, lambda size: unit * (size // len(unit)))
