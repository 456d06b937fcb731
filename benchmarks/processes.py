"""Reads `/proc`: the processes of a server and their memory. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

SETTLE_SECONDS = 15.0  # longer than any peer keeps what it no longer needs (workerd: 10 s)


@dataclass(frozen=True, slots=True)
class Process:
    """A process; `started` distinguishes it from a later process with the same id."""

    pid: int
    parent: int
    started: str

    def kill(self) -> None:
        """End it if it still runs, but not another process with the same id."""
        now = _read_process(self.pid)
        if now is not None and now.started == self.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a set of processes, in bytes.

    `proportional` counts a page shared by n processes as 1/n in each (PSS): forked processes share
    most of theirs, so only this sum is the memory of the machine. `resident` (RSS) counts n times.
    """

    proportional: int
    resident: int
    processes: int


def tree_of(pid: int) -> list[Process]:
    """Return process `pid` and all its descendants, parents first."""
    everyone = [process for process in map(_read_process, _pids()) if process is not None]
    tree = [process for process in everyone if process.pid == pid]
    for process in tree:  # the list grows during the loop
        tree += [child for child in everyone if child.parent == process.pid]
    return tree


def processor_seconds(pid: int) -> float:
    """Return the processor time that process `pid` has used so far."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int, descendants: bool = True) -> Memory:
    """Return the memory of process `pid`, and with `descendants` of all its descendants."""
    proportional = resident = 0
    tree = tree_of(pid) if descendants else tree_of(pid)[:1]
    for process in tree:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
        proportional += int(fields["Pss"].split()[0]) * 1024
        resident += int(fields["Rss"].split()[0]) * 1024
    return Memory(proportional, resident, len(tree))


def settled_memory_of(pid: int) -> Memory:
    """Return the memory after a time in which every peer gives back what it does not need."""
    time.sleep(SETTLE_SECONDS)
    return memory_of(pid)


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def _read_process(pid: int) -> Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces; the fields after it are state, parent, …, start time.
    fields = stat[stat.rindex(")") + 2 :].split()
    return Process(pid, int(fields[1]), fields[19])
