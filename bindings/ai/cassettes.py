"""Cassettes: recorded calls in a readable JSON file, and which of them answers a new call.

    {"format": "groundfog ai cassette 1",
     "calls": [{"model": …, "inputs": …, "answer": {"json": …}}, …]}

An answer is one of `json`, `events` (texts), `file` (`{content_type, base64}`) and `error` (`{code,
name, message}`). Requests are compared in canonical form: keys in order, nulls left out, binary
data by its hash, secrets scrubbed. Equal requests are answered in the order they were recorded;
the last answer repeats. A new file is written completely and then replaces the old one, so a crash
leaves the old one or the new one.
"""

from __future__ import annotations

import base64
import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import Struct

from bindings.ai.replies import Events, Media
from bindings.ai.scrubbing import Scrubber
from emulator.errors import WorkerError

FORMAT = "groundfog ai cassette 1"
ANSWER_KINDS = ("json", "events", "file", "error")
BINARY_MIN_BYTES = 64  # a list of at least so many numbers from 0 to 255 counts as binary data
DIFFERENCES_MAX = 5
EXCERPT_CHARS = 60
COMPARED_CHARS = 4_000
_SPACE = re.compile(r"[ \t\r\n]*")
_EXCERPTS = json.JSONEncoder(ensure_ascii=False, default=repr)


class CassetteError(WorkerError):
    """A cassette that cannot be read, or has no answer."""

    def __init__(self, message: str) -> None:
        super().__init__(message, name="CassetteError")


class Recorded(Struct, frozen=True):
    """One call of a cassette, as it is in the file; `line` is 0 for a new one."""

    model: str
    inputs: Any
    answer: Mapping[str, Any]
    line: int = 0

    @property
    def key(self) -> str:
        return request_key(self.model, self.inputs)


class Cassette:
    """The cassette in `path`, read when it is first needed. `scrubber` keeps secrets out."""

    def __init__(self, path: Path, scrubber: Scrubber) -> None:
        self.path = path
        self._scrubber = scrubber
        self._calls: list[Recorded] | None = None
        self._by_key: dict[str, list[Recorded]] = {}
        self._answered: dict[str, int] = {}
        self._replaced: set[str] = set()

    def find(self, model: str, inputs: Any) -> Any:
        """Return the recorded answer of a call. Raises CassetteError, or the recorded error."""
        if self._calls is None:
            self._calls = read_cassette(self.path)
            for call in self._calls:
                self._by_key.setdefault(call.key, []).append(call)
        request = self._scrubber.scrub(canonical(inputs))
        key = request_key(model, request)
        found = self._by_key.get(key)
        if found is None:
            raise _not_recorded(self.path, model, request, self._calls)
        place = self._answered.get(key, 0)
        self._answered[key] = place + 1
        return _answer(found[min(place, len(found) - 1)].answer)

    def add(self, model: str, inputs: Any, answer: Mapping[str, Any]) -> None:
        """Record a call and write the file.

        It replaces the answers that earlier sessions recorded for the same request. Raises
        CassetteError when the file is malformed or cannot be written. Then the file is unchanged.
        """
        if self._calls is None:
            self._calls = read_cassette(self.path) if self.path.exists() else []
        call = Recorded(
            model, self._scrubber.scrub(canonical(inputs)), self._scrubber.scrub(answer)
        )
        key = call.key
        kept = self._calls
        if key not in self._replaced:
            kept = [other for other in kept if other.key != key]
        calls = [*kept, call]
        write_cassette(self.path, calls)
        self._replaced.add(key)
        self._calls = calls


def canonical(value: Any) -> Any:
    """Return inputs in the form in which they are compared and written."""
    match value:
        case bytes():
            return {"$sha256": sha256(value).hexdigest(), "bytes": len(value)}
        case list() if len(value) >= BINARY_MIN_BYTES and all(
            type(item) is int and 0 <= item <= 255 for item in value
        ):
            return canonical(bytes(value))
        case list():
            return [canonical(item) for item in value]
        case Mapping():
            return {key: canonical(value[key]) for key in sorted(value) if value[key] is not None}
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def request_key(model: str, request: Any) -> str:
    """Return the text by which requests in canonical form are compared."""
    return json.dumps([model, request], sort_keys=True, ensure_ascii=False, default=repr)


def to_record(answer: Any) -> dict[str, Any]:
    """Return an answer as it is written."""
    if isinstance(answer, WorkerError):
        return {"error": {"code": answer.code, "name": answer.name, "message": answer.message}}
    if isinstance(answer, Events):
        return {"events": [event.decode(errors="replace") for event in answer]}
    if isinstance(answer, Media):
        content = base64.b64encode(answer.content).decode()
        return {"file": {"content_type": answer.content_type, "base64": content}}
    return {"json": answer}


def _answer(record: Mapping[str, Any]) -> Any:
    (kind, value) = next(iter(record.items()))
    match kind:
        case "error":
            raise WorkerError(value["message"], name=value["name"], code=value.get("code"))
        case "events":
            return Events(event.encode() for event in value)
        case "file":
            return Media(base64.b64decode(value["base64"]), value["content_type"])
        case _:
            return value


def write_cassette(path: Path, calls: list[Recorded]) -> None:
    """Replace the file in one step. Raises CassetteError when the disk refuses."""
    shown = [{"model": c.model, "inputs": c.inputs, "answer": c.answer} for c in calls]
    whole = {"format": FORMAT, "calls": shown}
    text = json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CassetteError(f"{path}: the cassette cannot be written: {error.strerror}") from None


def read_cassette(path: Path) -> list[Recorded]:
    """Return the calls of a cassette. Raises CassetteError with file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CassetteError(
            f'{path}: there is no such cassette. Record one with mode = "record" under [ai] in '
            "groundfog.toml."
        ) from None
    except UnicodeDecodeError as error:
        raise CassetteError(f"{path}: byte {error.start} is not UTF-8 text") from None
    except OSError as error:
        raise CassetteError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        raise CassetteError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except ValueError as error:  # a number of thousands of digits
        raise CassetteError(f"{path}: not JSON that can be read: {error}") from None
    except RecursionError:
        raise CassetteError(f"{path}: it is nested too deeply") from None
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise CassetteError(f'{path}:1: expected an object with "format": "{FORMAT}"')
    if not isinstance(whole.get("calls"), list):
        raise CassetteError(f'{path}:1: "calls" is missing, or no list')
    calls = enumerate(_calls_with_lines(path, text))
    return [_read_call(path, line, place, call) for place, (line, call) in calls]


def _calls_with_lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """Yield each item of the top-level "calls" and the line it begins on; the text is valid JSON.

    Raises CassetteError for an object that has a key twice: the parser keeps only one of the two.
    """
    line, counted = 1, 0

    def line_at(at: int) -> int:
        nonlocal line, counted
        line += text.count("\n", counted, at)
        counted = at
        return line

    def skip(at: int) -> int:
        found = _SPACE.match(text, at)
        return found.end() if found else at

    def only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise CassetteError(f'{path}:{line}: the object that begins here has "{twice}" twice')
        return dict(pairs)

    decoder = json.JSONDecoder(object_pairs_hook=only_once)
    seen: set[str] = set()
    at = skip(skip(0) + 1)
    while text[at] != "}":
        line_at(at)
        name, at = decoder.raw_decode(text, at)
        if name in seen:
            raise CassetteError(f'{path}:{line}: "{name}" is here for the second time')
        seen.add(name)
        at = skip(skip(at) + 1)  # past the colon
        if name != "calls" or text[at] != "[":
            at = skip(decoder.raw_decode(text, at)[1])
        else:
            at = skip(at + 1)
            while text[at] != "]":
                line_at(at)
                call, at = decoder.raw_decode(text, at)
                yield line, call
                at = skip(at)
                at = skip(at + 1) if text[at] == "," else at
            at = skip(at + 1)
        at = skip(at + 1) if text[at] == "," else at


def _read_call(path: Path, line: int, place: int, call: Any) -> Recorded:
    def wrong(problem: str) -> CassetteError:
        return CassetteError(f"{path}:{line}: calls[{place}] {problem}")

    if not isinstance(call, dict) or not isinstance(call.get("model"), str):
        raise wrong('is not an object with "model", "inputs" and "answer"')
    answer = call.get("answer")
    if not isinstance(answer, dict) or len(answer) != 1 or next(iter(answer)) not in ANSWER_KINDS:
        raise wrong(f'has an "answer" that is not one of {", ".join(ANSWER_KINDS)}')
    kind, value = next(iter(answer.items()))
    if kind == "events" and not (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    ):
        raise wrong('has "events" that are not a list of texts')
    if kind == "error" and not (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("message"), str)
        and isinstance(value.get("code"), int | None)
    ):
        raise wrong('has an "error" without code, name and message')
    if kind == "file" and not _is_file(value):
        raise wrong('has a "file" without content_type and base64')
    return Recorded(call["model"], canonical(call.get("inputs")), answer, line)


def _is_file(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("content_type"), str):
        return False
    try:
        base64.b64decode(value.get("base64"), validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _not_recorded(path: Path, model: str, request: Any, calls: list[Recorded]) -> CassetteError:
    """Return an error that says which recorded request is nearest, and how it differs."""
    head = f"{path.name} has no answer for this call of {model}"
    advice = 'Record it with mode = "record" under [ai] in groundfog.toml.'
    if not calls:
        return CassetteError(f"{head}: it holds no calls. {advice}")
    asked = request_key(model, request)[:COMPARED_CHARS]

    def nearness(call: Recorded) -> tuple[bool, float]:
        text = call.key[:COMPARED_CHARS]
        ratio = difflib.SequenceMatcher(None, text, asked, autojunk=False).quick_ratio()
        return call.model == model, ratio

    nearest = max(calls, key=nearness)
    found = list(_differences("inputs", nearest.inputs, request))
    if nearest.model != model:
        found.insert(0, f"model: recorded {nearest.model}")
    told = "\n".join(f"  {line}" for line in found[:DIFFERENCES_MAX])
    if len(found) > DIFFERENCES_MAX:
        told += f"\n  … and {len(found) - DIFFERENCES_MAX} more"
    where = f"{path.name}:{nearest.line}" if nearest.line else path.name
    return CassetteError(f"{head}. The nearest recorded one, {where}, differs:\n{told}\n{advice}")


def _differences(where: str, recorded: Any, asked: Any) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for key in [*recorded, *(key for key in asked if key not in recorded)]:
            if key not in asked:
                yield f"{where}.{key}: recorded {_excerpt(recorded[key])}, not asked"
            elif key not in recorded:
                yield f"{where}.{key}: asked {_excerpt(asked[key])}, not recorded"
            else:
                yield from _differences(f"{where}.{key}", recorded[key], asked[key])
    elif isinstance(recorded, list) and isinstance(asked, list) and len(recorded) == len(asked):
        for place, (one, other) in enumerate(zip(recorded, asked, strict=True)):
            yield from _differences(f"{where}[{place}]", one, other)
    elif recorded != asked:
        yield f"{where}: recorded {_excerpt(recorded)}, asked {_excerpt(asked)}"


def _excerpt(value: Any) -> str:
    text = ""
    value = value[: 2 * EXCERPT_CHARS] if isinstance(value, str | list) else value
    for part in _EXCERPTS.iterencode(value):  # piece by piece: a value may be megabytes
        text += part[: 2 * EXCERPT_CHARS]
        if len(text) > EXCERPT_CHARS:
            return f"{text[: EXCERPT_CHARS - 1]}…"
    return text
