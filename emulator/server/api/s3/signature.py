"""AWS Signature Version 4: whether a request was signed with a secret. Pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from msgspec import Struct

from emulator.server.api.s3.failure import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
SKEW_S = 15 * 60
EXPIRES_MAX_S = 7 * 86_400
_HEADER = re.compile(
    ALGORITHM + r"\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})"
)
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SPACES = re.compile(" +")


class Signed(Struct, frozen=True):
    """A request as it was signed. path: as it came, escaped. headers: lower case names."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


class _Claim(Struct, frozen=True):
    credential: str
    signed_headers: str
    signature: str
    date: str
    payload: str
    expires_s: int | None = None


def check(request: Signed, key_id: str, secret: str, now_s: float) -> None:
    """Return if a request was signed with a key, in its headers or in its URL. Raises S3Error."""
    pairs = _pairs(request.query)
    claim = _of_header(request) if "authorization" in request.headers else _of_query(dict(pairs))
    parts = claim.credential.split("/")
    if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"]:
        raise S3Error(
            400, "InvalidArgument", "Credential should be KEY/DATE/REGION/s3/aws4_request"
        )
    given_id, day, region = parts[:3]
    _check_time(claim, day, now_s)
    if not hmac.compare_digest(given_id.encode(), key_id.encode()):
        text = "The access key is not the one of local_dev.experimental_s3_credentials."
        raise S3Error(403, "InvalidAccessKeyId", text)
    canonical = _canonical(request, pairs, claim)
    scope = f"{day}/{region}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, claim.date, scope, hashed))
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), claim.signature):
        raise S3Error(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check "
            "your secret access key and signing method.",
        )


def is_signed(request: Signed) -> bool:
    """Whether it claims to be signed."""
    return "authorization" in request.headers or "X-Amz-Credential" in dict(_pairs(request.query))


def _of_header(request: Signed) -> _Claim:
    found = _HEADER.fullmatch(request.headers["authorization"].strip())
    date = request.headers.get("x-amz-date", "")
    if found is None or not _DATE.fullmatch(date):
        text = "Authorization and x-amz-date must be those of AWS4-HMAC-SHA256."
        raise S3Error(400, "InvalidArgument", text)
    payload = request.headers.get("x-amz-content-sha256", "")
    if not payload:
        text = "Missing required header for this request: x-amz-content-sha256"
        raise S3Error(400, "InvalidRequest", text)
    return _Claim(found[1], found[2], found[3], date, payload)


def _of_query(query: Mapping[str, str]) -> _Claim:
    names = ("Credential", "SignedHeaders", "Signature", "Date", "Expires")
    credential, headers, signature, date, expires = (query.get(f"X-Amz-{n}", "") for n in names)
    if query.get("X-Amz-Algorithm") != ALGORITHM or not _DATE.fullmatch(date):
        raise S3Error(403, "AccessDenied", "The request is not signed with AWS4-HMAC-SHA256.")
    if not expires.isdecimal() or not 1 <= int(expires) <= EXPIRES_MAX_S:
        text = f"X-Amz-Expires must be between 1 and {EXPIRES_MAX_S} seconds"
        raise S3Error(400, "AuthorizationQueryParametersError", text)
    return _Claim(credential, headers, signature, date, UNSIGNED, int(expires))


def _check_time(claim: _Claim, day: str, now_s: float) -> None:
    try:
        signed_s = datetime.strptime(claim.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise S3Error(400, "InvalidArgument", "x-amz-date is not a date.") from None
    if not claim.date.startswith(day):
        raise S3Error(400, "InvalidArgument", "The dates of the signature differ.")
    if claim.expires_s is not None:
        if not signed_s - SKEW_S <= now_s <= signed_s + claim.expires_s:
            raise S3Error(403, "ExpiredRequest", "Request has expired")
    elif abs(now_s - signed_s) > SKEW_S:
        text = "The difference between the request time and the server's time is too large."
        raise S3Error(403, "RequestTimeTooSkewed", text)


def _canonical(request: Signed, pairs: list[tuple[str, str]], claim: _Claim) -> str:
    names = claim.signed_headers.split(";")
    if "host" not in names or any(name not in request.headers for name in names):
        text = "SignedHeaders must name host, and only headers that are there."
        raise S3Error(400, "InvalidArgument", text)
    escaped = sorted((_quoted(n), _quoted(v)) for n, v in pairs if n != "X-Amz-Signature")
    return "\n".join(
        (
            request.method,
            "/".join(_quoted(unquote(each)) for each in request.path.split("/")),
            "&".join(f"{name}={value}" for name, value in escaped),
            *(f"{name}:{_SPACES.sub(' ', request.headers[name].strip())}" for name in names),
            "",
            claim.signed_headers,
            claim.payload,
        )
    )


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _pairs(query: str) -> list[tuple[str, str]]:
    parts = (each.partition("=") for each in query.split("&") if each)
    return [(unquote(name), unquote(value)) for name, _, value in parts]
