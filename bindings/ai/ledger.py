"""The ledger: every call of env.AI, one line of JSON each, and the budget of a session.

The size of the file is limited. A full one is renamed to `….1`, in place of the one before. A line
that a crash cut short is skipped when the ledger is read. It has no prompts and no answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from msgspec import Struct, field
from msgspec.structs import asdict

from bindings.ai.settings import Budget
from emulator.answers.ai import LedgerLine
from emulator.disk import make_folder, open_unlinked
from emulator.errors import WorkerError
from emulator.words import counted

LOGS_MAX = 1_000  # gateway logs that are kept in memory, with their notes
NOBODY = "nobody"  # strict mode refused the call
FILE_MAX_BYTES = 4 * 1024 * 1024  # about 15,000 calls; and as many in the file before


class Call(Struct, frozen=True):
    """One call.

    `answered_by` is "stub", a rule's `"groundfog.toml:12"`, a cassette or upstream, or NOBODY.
    """

    at_ms: int
    model: str
    task: str
    answered_by: str
    latency_ms: int
    tokens_in: int = 0
    tokens_out: int = 0
    neurons: float = 0.0
    usd: float = 0.0
    error: str = ""
    log_id: str = ""


class Ledger(Struct):
    """Counts what was used and appends it to `path`; without a path nothing is written."""

    path: Path | None = None
    calls: int = 0
    neurons: float = 0.0
    _recent: dict[str, LedgerLine] = field(default_factory=dict)

    def check(self, budget: Budget) -> None:
        """Raise WorkerError when the budget is used up; else count one more call."""
        if budget.max_calls is not None and self.calls >= budget.max_calls:
            raise _used_up(counted(self.calls, "call"), f"max_calls = {budget.max_calls}")
        if budget.max_neurons is not None and self.neurons >= budget.max_neurons:
            told = f"max_neurons = {budget.max_neurons:g}"
            raise _used_up(f"about {self.neurons:,.1f} neurons", told)
        self.calls += 1

    def record(self, call: Call) -> None:
        """Count and write what a call used. Raises OSError when the disk refuses."""
        self.neurons += call.neurons
        members = {key: value for key, value in asdict(call).items() if value not in ("", 0, 0.0)}
        entry = cast(LedgerLine, members)
        if call.log_id:
            if len(self._recent) >= LOGS_MAX:
                del self._recent[next(iter(self._recent))]
            self._recent[call.log_id] = entry
        if self.path is None:
            return
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
        make_folder(self.path.parent)
        with open(self.path, "a", encoding="utf-8", opener=open_unlinked) as file:
            file.write(line)
            is_full = file.tell() > FILE_MAX_BYTES
        if is_full:
            self.path.replace(previous(self.path))

    def gateway_log(self, log_id: str) -> LedgerLine | None:
        """Return the line with this gateway log id, from this session or an earlier one."""
        if log_id not in self._recent and self.path is not None:
            for entry in read(self.path):
                if entry.get("log_id") == log_id:
                    self._recent[log_id] = entry
        return self._recent.get(log_id)

    def annotate(self, log_id: str, notes: Mapping[str, Any]) -> None:
        """Keep `score`, `feedback` and `metadata` for a gateway log, as long as the server runs."""
        line = {**self._recent[log_id], **notes}
        self._recent[log_id] = cast(LedgerLine, line)


def previous(path: Path) -> Path:
    """Return the path to which a full ledger is renamed."""
    return path.with_name(f"{path.name}.1")


def read(path: Path) -> Iterator[LedgerLine]:
    """Yield the lines of a ledger, decoded, oldest first."""
    for part in (previous(path), path):
        try:
            text = part.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        for line in text.splitlines():
            entry = parse_line(line)
            if entry is not None:
                yield entry


def parse_line(line: str) -> LedgerLine | None:
    """Return a line decoded, or None for one that a crash cut short."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    is_whole = isinstance(entry, dict) and "model" in entry
    return cast(LedgerLine, entry) if is_whole else None


def _used_up(what: str, setting: str) -> WorkerError:
    return WorkerError(
        f"This session has used {what} of env.AI, and {setting} is set under [ai] in "
        "groundfog.toml. Is something calling in a loop? Restart, or raise the limit.",
        name="AiBudgetExceeded",
    )
