"""`groundfog queues`: what waits in the project's queues, sending, pausing and purging.

The commands work on the file; a running server notices within a second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from bindings.queues import rules
from bindings.queues.broker import Broker, Sent
from emulator.cli.asking import confirm
from emulator.cli.lazy import Group
from emulator.cli.local_options import local_options
from emulator.cli.options import ProjectOptions, load_project
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.engine.model.plain import iso
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.kinds.queues import FOLDER, Consumer, Producer, queue_names
from emulator.state import State
from emulator.words import counted
from emulator.worker import open_clock

T = TypeVar("T")


@click.group(cls=Group)
def queues() -> None:
    """Look into the project's local queues, and send to them."""


def _ask(
    options: ProjectOptions, name: str | None, work: Callable[[Broker, Config], Awaitable[T]]
) -> T:
    """Return what `work` does with the queues. Raises EmulatorError, also for an unknown queue."""
    config = load_project(options)
    known = queue_names(config)
    if name is not None and name not in known:
        raise UsageError(
            f"The configuration has no queue {name}.\n  There are: {', '.join(known) or 'none'}."
        )
    state = State.locate(config, options.persist_to)
    state.prepare()
    clock = open_clock(config, state, SystemClock())

    async def asked() -> T:
        broker = Broker(state.database(FOLDER, "queues"), clock.now_ms, "FULL")
        try:
            return await work(broker, config)
        except (rules.Refused, WorkerError) as error:
            raise EmulatorError(str(error)) from None
        finally:
            await broker.close()

    return asyncio.run(asked())


def _told(broker: Broker, config: Config, name: str) -> dict[str, Any]:
    metrics = broker.metrics(name)
    consumers = [b.record for b in config.bound(Consumer) if b.record.queue == name]
    return {
        "queue_name": name,
        "backlog_count": metrics.count,
        "backlog_bytes": metrics.bytes,
        "oldest_message_timestamp_ms": metrics.oldest_ms,
        "delivery_paused": broker.is_paused(name),
        "producers": sum(bound.record.queue == name for bound in config.bound(Producer)),
        "consumers": ["http_pull" if each.pulls else config.name for each in consumers],
        "dead_letter_queue": consumers[0].dead_letters if consumers else None,
    }


@queues.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("queues")
def list_queues(options: ProjectOptions, as_json: bool) -> None:
    """Print each queue and what waits in it."""

    async def read(broker: Broker, config: Config) -> list[dict[str, Any]]:
        return [_told(broker, config, name) for name in queue_names(config)]

    found = _ask(options, None, read)
    if as_json:
        show_json(found)
        return
    if found:
        rows = [
            (each["queue_name"], each["backlog_count"], "paused" if each["delivery_paused"] else "")
            for each in found
        ]
        show(draw_table(("queue", "messages", "delivery"), rows))
    else:
        say("The configuration has no queues.")


@queues.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@local_options("queues")
def info(options: ProjectOptions, name: str, as_json: bool) -> None:
    """Print what is known of the queue NAME."""

    async def read(broker: Broker, config: Config) -> dict[str, Any]:
        return _told(broker, config, name)

    told = _ask(options, name, read)
    if as_json:
        show_json(told)
        return
    shown = {
        "messages": told["backlog_count"],
        "bytes": told["backlog_bytes"],
        "oldest": told["oldest_message_timestamp_ms"] and iso(told["oldest_message_timestamp_ms"]),
        "delivery": "paused" if told["delivery_paused"] else "on",
        "producers": told["producers"],
        "consumers": ", ".join(told["consumers"]),
        "dead letters": told["dead_letter_queue"],
    }
    show(draw_table(("", name), [(key, value or "") for key, value in shown.items()]))


@queues.command("send")
@click.argument("name")
@click.argument("body")
@click.option("--content-type", type=click.Choice(["json", "text"]), default="json")
@click.option("--delay", "delay_s", type=click.IntRange(0, rules.DELAY_MAX_S), default=0)
@local_options("queues")
def send(options: ProjectOptions, name: str, body: str, content_type: str, delay_s: int) -> None:
    """Send BODY, JSON or with --content-type text a text, to the queue NAME."""
    content = body.encode("utf-8", "replace")
    if content_type == "json":
        try:
            json.loads(body)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"BODY is not JSON: {error}\n  A text is sent with --content-type text."
            ) from None

    async def write(broker: Broker, config: Config) -> int:
        rules.check_message(len(content))
        metrics = await broker.send(name, [Sent(content, content_type, delay_s)])
        return metrics.count

    count = _ask(options, name, write)
    waiting = f"{counted(count, 'message')} {'waits' if count == 1 else 'wait'}"
    say(f"Sent to {name}; {waiting} there.")


@queues.command("purge")
@click.argument("name")
@click.option("--force", is_flag=True, help="Do not ask.")
@local_options("queues")
def purge(options: ProjectOptions, name: str, force: bool) -> None:
    """Delete every message of the queue NAME."""
    if not force:
        confirm(f"Delete every message of {name}?")
    count = _ask(options, name, lambda broker, config: broker.purge(name))
    say(f"Purged {name}: deleted {counted(count, 'message')}.")


@queues.command("pause-delivery")
@click.argument("name")
@local_options("queues")
def pause_delivery(options: ProjectOptions, name: str) -> None:
    """Deliver no more messages of the queue NAME; they are kept."""
    _ask(options, name, lambda broker, config: broker.pause(name, True))
    say(f"Paused message delivery for queue {name}.")


@queues.command("resume-delivery")
@click.argument("name")
@local_options("queues")
def resume_delivery(options: ProjectOptions, name: str) -> None:
    """Deliver messages of the queue NAME again."""
    _ask(options, name, lambda broker, config: broker.pause(name, False))
    say(f"Resumed message delivery for queue {name}.")
