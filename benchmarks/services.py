"""How long a call of another worker takes, one after the other, from a Python worker.

`python -m benchmarks.services`. It measures Groundfog only, and prints a table.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import httpx

from benchmarks.peers import groundfog, groundfog_typescript
from benchmarks.servers import running

PROJECT = Path(__file__).with_name("projects") / "services"
ROUNDS = 7
GOAL_US = 200
TARGETS = (
    ("a class of its own", "OWN"),
    ("another Python worker", "PYTHON"),
    ("a TypeScript worker", "TYPESCRIPT"),
)


def main() -> None:
    """Print the median of some rounds for each target, and the goal."""
    command = (*groundfog().command, "caller", "python", "typescript")
    environment = groundfog_typescript().environment
    peer = replace(groundfog(), command=command, project=PROJECT, environment=environment)
    with running(peer) as server, httpx.Client(base_url=server.url, timeout=300) as client:
        for label, name in TARGETS:
            client.get(f"/{name}").raise_for_status()
            taken = [float(client.get(f"/{name}").text) for _ in range(ROUNDS)]
            median, best = statistics.median(taken), min(taken)
            print(f"{label:<24} {median:7.0f} µs, at best {best:.0f}; goal {GOAL_US}")


if __name__ == "__main__":
    main()
