"""Keeps secrets out of cassettes and the ledger. Pure; its time grows with the input only.

Four things count as secrets: the values of the project's own secrets; values under a name such as
`token`, `apiKey` or `userPassword`; the same inside a text (`token=…`); and texts that look like a
key of a known provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from bindings.ai.pieces import pieces

SHORTEST = 6  # a shorter value may occur by chance
SCRUBBED = "[scrubbed]"
NAME_MAX_CHARS = 60  # a longer text is not a name
ANNOUNCEMENT_CHARS = 80  # a name and its equals sign, or "Bearer"

# The last word of a name, or its last two, make it secret. "max_tokens", "token_type" are not.
_SECRET_WORDS = frozenset(
    "token secret secrets password passwords passwd passphrase pwd credential credentials "
    "authorization auth cookie cookies apikey apikeys jwt bearer otp".split()
)
_SECRET_PAIRS = frozenset(
    "api key|api keys|access key|private key|secret key|signing key|encryption key|account key|"
    "master key|license key|service key|auth key|ssh key|client key|session id|session key|"
    "shared key|storage key|subscription key".split("|")
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

_LOOKS = r"""
    \bBearer\s{1,8}[\w.~+/=-]{16,}
    |\bBasic\s{1,8}[A-Za-z0-9+/]{16,}={0,2}
    |\b(?:
        sk-[\w-]{16,}                          # OpenAI, Anthropic, OpenRouter, DeepSeek
        |[srp]k_(?:live|test|prod)_\w{8,}|whsec_[\w+/=]{16,}        # Stripe and its like
        |github_pat_\w{16,}|gh[pousr]_\w{16,}
        |gl(?:pat|dt|rt|ptt|oas|agent|soat|ft|imt|cbt)-[\w.-]{16,}   # GitLab
        |hf_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{10,}\b|api_org_[A-Za-z0-9]{16,}  # Hugging Face
        |npm_[A-Za-z0-9]{16,}|pypi-[\w-]{16,}|dckr_pat_[\w-]{16,}|rubygems_[0-9a-f]{20,}
        |xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}   # Slack
        |A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}\b     # Amazon
        |AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}           # Google
        |(?:gsk|r8|jina|fw)_[A-Za-z0-9]{16,}|(?:xai|pplx|csk)-[A-Za-z0-9]{16,}
        |(?:nvapi|tvly|voy)-[\w-]{16,}|tgp_v1_[\w-]{16,}            # Together
        |cf(?:ut|at|k)_[\w-]{16,}|v1\.0-[0-9a-f]{16,}-[0-9a-f]{16,}  # Cloudflare
        |do[opr]_v1_[0-9a-f]{16,}              # DigitalOcean
        |shp(?:at|ss|pa|ca|tka)_\w{16,}        # Shopify
        |SG\.[\w-]{16,}\.[\w-]{16,}|key-[0-9a-f]{32}\b|(?:SK|AC)[0-9a-f]{32}\b  # mail and SMS
        |re_[A-Za-z0-9]{6,12}_[A-Za-z0-9]{16,}
        |sq0[a-z]{3}-[\w-]{16,}|EAAA[\w-]{30,} # Square, Meta
        |lin_(?:api|oauth)_\w{16,}|ntn_[A-Za-z0-9]{16,}|secret_[A-Za-z0-9]{24,}|figd_[\w-]{16,}
        |pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}     # Airtable
        |sntry[su]_[\w+/=]{16,}|sb[ps]_[A-Za-z0-9]{16,}|sb_secret_[\w-]{16,}
        |dapi[0-9a-f]{32}|hv[sbr]\.[\w-]{16,}|ATATT[\w=-]{16,}|PMAK-[\w-]{16,}
        |ph[cx]_[A-Za-z0-9]{16,}|NRAK-[A-Z0-9]{16,}|gl(?:c|sa)_[\w+/=]{16,}
        |dp\.[a-z]{2,10}\.[A-Za-z0-9]{16,}|pscale_\w{1,20}_[\w.-]{16,}|tskey-[\w-]{16,}
        |AGE-SECRET-KEY-1[0-9A-Z]{16,}
        |[0-9]{8,10}:AA[\w-]{30,}              # Telegram
        |eyJ\w{6,4000}\.[\w-]{6,4000}\.[\w-]{6,}  # JSON web tokens
    )
    |(?<=://)[^\s/:@]{0,100}:[^\s/@]{1,200}(?=@)    # user and password in an address
"""
_PRIVATE_KEY = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}KEY-----|\Z)"
# `token=…`, and `"token": "…"` within a text, also where its quotes are escaped.
_ASSIGNED = r"""
    (?<![\w-])(?P<name>[A-Za-z][\w-]{1,59})
    (?:
        (?P<quoting>\\?["']?\s{0,4}[:=]\s{0,4}\\?["'])[^"'\\\n]{1,4000}
        |(?P<bare>\\?["']\s{0,4}[:=]\s{0,4}|=)[^\s"'\\&;,<>{}\[\]]{1,4000}
    )
"""


class Scrubber:
    """Replaces secrets in JSON values; `secrets` are texts that must not be written."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        known = {text for text in secrets if len(text) >= SHORTEST}
        self._known = sorted(known, key=len, reverse=True)

    def scrub(self, value: Any, name: str = "") -> Any:
        """Return `value` without secrets; `name` is its key in the object around it."""
        return self._scrub(value, is_secret=is_secret_name(name))

    def _scrub(self, value: Any, *, is_secret: bool) -> Any:
        match value:
            case str():
                return SCRUBBED if is_secret else self._text(value)
            case int() | float() if is_secret and not isinstance(value, bool):
                return SCRUBBED
            case Mapping():
                # What a model said, word by word: {"token": "Hello", "logprob": -0.1}.
                names = () if "logprob" in value else value
                return {
                    self._key(key): self._scrub(
                        item, is_secret=is_secret or (key in names and is_secret_name(str(key)))
                    )
                    for key, item in value.items()
                }
            case list():
                return [self._scrub(item, is_secret=is_secret) for item in value]
            case _:
                return value

    def _key(self, key: Any) -> Any:
        return self._text(key) if isinstance(key, str) else key

    def _text(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, SCRUBBED)
        looks, assigned, private_key = _patterns()
        if "-----BEGIN " in text:
            text = private_key.sub(SCRUBBED, text)
        return "".join(
            assigned.sub(_without_value, looks.sub(SCRUBBED, piece)) for piece in _pieces(text)
        )


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return all three; they are made at the first use, which takes some milliseconds."""
    return (
        re.compile(_LOOKS, re.VERBOSE),
        re.compile(_ASSIGNED, re.VERBOSE),
        re.compile(_PRIVATE_KEY, re.DOTALL),
    )


def _pieces(text: str) -> Iterator[str]:
    """Yield `text` in pieces; a secret stays in one piece with the name before it."""
    held = ""
    for piece in pieces(text):
        whole = held + piece
        last_word = whole[-ANNOUNCEMENT_CHARS:].split(" ")[-1]
        is_announced = last_word.lower() in ("bearer", "basic") or last_word[-1:] in ("=", ":")
        held = last_word if is_announced else ""
        yield whole[: len(whole) - len(held)]
    yield held


def _without_value(found: re.Match[str]) -> str:
    if not is_secret_name(found["name"]):
        return found[0]
    return f"{found['name']}{found['quoting'] or found['bare']}{SCRUBBED}"


@lru_cache(maxsize=2048)
def is_secret_name(name: str) -> bool:
    """Return whether a value with this name is secret: `userPassword`, `x-api-key`, `token`."""
    if not name or len(name) > NAME_MAX_CHARS:
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():  # password2
        words.pop()
    return bool(words) and (words[-1] in _SECRET_WORDS or " ".join(words[-2:]) in _SECRET_PAIRS)
