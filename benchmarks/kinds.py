"""How fast KV, R2, queues, assets and Durable Objects are for a Python worker, with 16 connections.

`python -m benchmarks.kinds`; needs `wrk`. It measures Groundfog only, and prints a table.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx

from benchmarks.load import rate
from benchmarks.peers import groundfog
from benchmarks.servers import running

PROJECT = Path(__file__).with_name("projects") / "kinds"
LARGE_BYTES = 256 * 1024 * 1024
MESSAGES = 5_000  # of one /queue-fill

ROUTES = (
    ("no binding, to compare with", "/plain", 0),
    ("KV get", "/kv-get", 4_000),
    ("KV put, durable", "/kv-put", 1_500),
    ("R2 get of 64 KiB", "/r2-get", 2_000),
    ("queue send, durable", "/queue-send", 2_000),
    ("asset", "/app.js", 8_000),
    ("increment of one Durable Object, durable", "/object-one", 2_000),
    ("increment of 100 Durable Objects, durable", "/object-many", 4_000),
)


def main() -> None:
    """Print one line a figure: what was measured, and the goal."""
    with running(replace(groundfog(), project=PROJECT)) as server:
        url = server.url
        with httpx.Client(base_url=url, timeout=300) as client:
            client.get("/").raise_for_status()
            for label, path, goal in ROUTES:
                _show(label, rate(f"{url}{path}"), goal, "/s")
            _show("R2 put of 256 MiB", _put(client), 0, " MB/s")
            _show("R2 get of 256 MiB", _get(client), 300, " MB/s")
            _show("messages delivered in batches of 100", _deliver(client), 5_000, "/s")


def _put(client: httpx.Client) -> float:
    began = time.perf_counter()
    client.put("/large", content=_pieces()).raise_for_status()
    return LARGE_BYTES / (time.perf_counter() - began) / 1e6


def _get(client: httpx.Client) -> float:
    began = time.perf_counter()
    with client.stream("GET", "/r2-large") as answer:
        size = sum(len(piece) for piece in answer.iter_raw())
    assert size == LARGE_BYTES
    return size / (time.perf_counter() - began) / 1e6


def _deliver(client: httpx.Client) -> float:
    """Return messages a second, from the first send to the last delivery."""
    began = time.perf_counter()
    client.get("/queue-fill").raise_for_status()
    while int(client.get("/queue-handled").text) < MESSAGES:
        time.sleep(0.01)
    return MESSAGES / (time.perf_counter() - began)


def _pieces() -> Iterator[bytes]:
    piece = b"p" * (1024 * 1024)
    for _ in range(LARGE_BYTES // len(piece)):
        yield piece


def _show(label: str, measured: float, goal: float, unit: str) -> None:
    wanted = f"goal {goal:,.0f}{unit}" if goal else ""
    print(f"{label:<40} {measured:>10,.0f}{unit:<6} {wanted}", flush=True)


if __name__ == "__main__":
    main()
