"""Every difference between the official dev server and Groundfog that is there on purpose.

Each has its reason. A difference that is not listed is a defect, and so is a listed one that is
not there any more. docs/differences.md tells users what matters to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.differential.side_by_side.asking import Answers

MISSING = "(missing)"

# Case and field, as patterns; and why.
ON_PURPOSE: dict[tuple[str, str], str] = {
    ("flow*", "status.__LOCAL_DEV_STEP_OUTPUTS*"): "only wrangler's local engine has it",
    ("flow*", "status.rollback*"): "documented, and wrangler leaves it out",
    ("flow*", "status.error"): "null, as documented: wrangler says undefined",
    ("flow that *", "status.status"): "`waiting` is documented; wrangler says `running`",
    ("flow context", "status.output.*.config.retries.delay"): "10 s is documented; wrangler: 1 s",
    ("flow *", "status.output.*.error"): "an error keeps its name; wrangler makes each an Error",
    ("flow *", "status.output.*.message"): "and its message without the name before it",
    ("flow misuse", "status.output.negative"): "a negative duration is refused",
    ("flow instance", "status.*"): "what cannot be stored ends the instance, as for functions",
    ("flow returnsFunction", "status.error.message"): "names the value",
    ("create a second time", "created.message"): "production's text",
    (
        "terminate what has ended",
        "terminate.message",
    ): "production's text, without a name before it",
    ("status of nobody", "status.message"): "production's text",
    ("event with a wrong type", "event*"): "refused, as in production",
    ("event to what has ended", "event*"): "refused, as in production",
    ("binding d1", "*.meta.served_by_*"): "production has it",
    ("binding d1", "two.meta.*duration*"): "measured; wrangler has whole milliseconds",
    ("binding d1", "returning.meta.rows_read"): "rows that RETURNING reads again are not counted",
    ("binding r2", "*.storageClass"): "Standard, as in production",
    ("binding r2", "*.range*"): "of what was read: wrangler has it where nothing was",
    ("binding r2", "noUpload.message"): "production's error for an upload that is not there",
    ("binding small", "ai.*"): "Workers AI is emulated; wrangler refuses without an account",
    ("binding small", "*Flow.message"): "production's text",
    ("binding small", "queue*.message"): "says what is wrong; wrangler fails to say it",
    ("response throws", "*"): "our page of errors, or text, with places in the user's files",
    ("response nothing", "*"): "the same",
    ("response wrong", "*"): "the same",
    ("response gzip", "headers.content-encoding.0"): "sent as it is; wrangler unzips it",
    ("request head", "headers.content-length.0"): "that of GET, as HTTP has it",
    ("request *", "headers.content-length.0"): "follows from the headers that are shown",
    (
        "request *",
        "body.headers.*",
    ): "`accept-encoding` and `connection` are as the client sent them",
}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every field of a JSON value, with its path: `"status.output.0"`."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def compared(case: str, official: Answers, ours: Answers) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field in which the answers differ: its path, and both values."""
    theirs, own = dict(flat(official[case])), dict(flat(ours[case]))
    for path in sorted(theirs.keys() | own.keys()):
        pair = theirs.get(path, MISSING), own.get(path, MISSING)
        if pair[0] != pair[1] or type(pair[0]) is not type(pair[1]):
            yield path, *pair


def reasons(case: str, path: str) -> list[tuple[str, str]]:
    """Return the entries of `ON_PURPOSE` that are about a field."""
    return [
        entry for entry in ON_PURPOSE if fnmatchcase(case, entry[0]) and fnmatchcase(path, entry[1])
    ]
