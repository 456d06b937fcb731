"""Queues: `[[queues.producers]]`, `[[queues.consumers]]`, and `[queues]` of groundfog.toml.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, assert_never

from msgspec import Struct

from bindings.queues.rules import DELAY_MAX_S
from emulator.config.durations_key import read_duration_ms
from emulator.config.model import Bound, Config
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from bindings.queues.broker import Broker
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "queues"
FOLDER = "queues"
_EXAMPLE = 'with binding = "JOBS" and queue = "jobs" below it.'
_SETTING_KEYS = ("batch_timeout",)
_SHOWS_CODES = "queue_expose_error_codes", "no_queue_expose_error_codes", "2026-03-12"
_CONSUMER_KEYS = frozenset(
    """
    dead_letter_queue max_batch_size max_batch_timeout max_concurrency max_retries queue retry_delay
    type visibility_timeout_ms
    """.split()
)
# Source: docs/platform/queues.md, "Consumers".
BATCH_SIZE, BATCH_TIMEOUT_S, RETRIES = 10, 5, 3
CONCURRENCY = 10  # production scales between 1 and 250 where nothing is set


class Producer(Struct, frozen=True):
    """A queue that a worker sends to. delay_s: of messages that say no delay.

    shows_codes: whether errors have the newer text, with a code.
    """

    queue: str
    delay_s: int = 0
    shows_codes: bool = True


class Consumer(Struct, frozen=True):
    """How the messages of a queue are delivered; `pulls`: not to this worker, but over REST."""

    queue: str
    batch_size: int = BATCH_SIZE
    timeout_ms: int = BATCH_TIMEOUT_S * 1000
    retries: int = RETRIES
    concurrency: int = CONCURRENCY
    retry_delay_s: int = 0
    dead_letters: str | None = None
    pulls: bool = False


def queue_names(config: Config) -> list[str]:
    """Return every queue of the configuration, also those for dead letters."""
    consumers = [bound.record for bound in config.bound(Consumer)]
    found = [bound.record.queue for bound in config.bound(Producer)]
    found += [consumer.queue for consumer in consumers]
    found += [consumer.dead_letters for consumer in consumers if consumer.dead_letters]
    return sorted(set(found))


def _read(section: Section) -> list[Bound[Any]]:
    found: list[Bound[Any]] = []
    shows_codes = section.flag(*_SHOWS_CODES)
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "JOBS")
        queue = item.string("queue", required=True, example="jobs")
        delay_s = item.integer("delivery_delay", 0, DELAY_MAX_S)
        if binding and queue:
            found.append(Bound(binding, NAME, Producer(queue, delay_s or 0, shows_codes)))
    return [*found, *_read_consumers(section)]


def _read_consumers(section: Section) -> list[Bound[Any]]:
    found: dict[str, Bound[Any]] = {}
    if not isinstance(section.owner.data.get("queues"), dict):
        return []  # it is missing, or was reported with the producers
    queues = section.owner.table("queues")
    assert queues is not None
    queues.unknown_keys({"producers", "consumers"})
    header = f"[[{section.selected.prefix()}queues.consumers]]"
    for item in queues.tables("consumers", f'Write {header} with queue = "jobs" below it.'):
        item.unknown_keys(_CONSUMER_KEYS)
        consumer = _read_consumer(item, section.settings)
        if consumer is None:
            continue
        if consumer.queue in found:
            text = f"{item.name('queue')} is {quoted(consumer.queue)}, which has a consumer already"
            item.error("queue", text, "A queue has one consumer. Remove one of the two.")
        found[consumer.queue] = Bound("", NAME, consumer)
    return list(found.values())


def _read_consumer(item: Table, timeout_ms: int | None) -> Consumer | None:
    queue = item.string("queue", required=True, example="jobs")
    size = item.integer("max_batch_size", 1, 100)
    timeout_s = item.integer("max_batch_timeout", 0, 60)
    retries = item.integer("max_retries", 0, 100)
    item.integer("visibility_timeout_ms", 0, 43_200_000)
    concurrency = item.integer("max_concurrency", 1, 250)
    delay_s = item.integer("retry_delay", 0, DELAY_MAX_S)
    dead_letters = item.string("dead_letter_queue")
    kind = item.choice("type", ("worker", "http_pull"))
    if not queue:
        return None
    if timeout_ms is None:
        timeout_ms = (BATCH_TIMEOUT_S if timeout_s is None else timeout_s) * 1000
    return Consumer(
        queue,
        size or BATCH_SIZE,
        timeout_ms,
        RETRIES if retries is None else retries,
        concurrency or CONCURRENCY,
        delay_s or 0,
        dead_letters,
        kind == "http_pull",
    )


def _read_settings(queues: Table, process_env: Mapping[str, str]) -> int | None:
    """Return how long batches wait in place of what consumers say, in ms; None: as they say."""
    queues.unknown_keys(_SETTING_KEYS, queues.report.error)
    if "batch_timeout" not in queues.data:
        return None
    return read_duration_ms(queues, "batch_timeout", 0)


def _open(record: Producer | Consumer, places: Places) -> Binding:
    from bindings.queues.broker import Broker
    from bindings.queues.queue import Queue

    def new_broker() -> Broker:
        path = places.state.database(FOLDER, "queues")
        return Broker(path, places.clock.now_ms, places.synchronous)

    broker = places.keep(FOLDER, new_broker)  # one for all queues, also over reloads
    if isinstance(record, Consumer):
        return Queue(broker, record.queue)
    return Queue(broker, record.queue, record.delay_s, shows_codes=record.shows_codes)


def _identity(record: Producer | Consumer, places: Places) -> Hashable:
    return record


def _shown(record: Producer | Consumer) -> str:
    match record:
        case Producer():
            return record.queue
        case Consumer():
            to = f", then to {record.dead_letters}" if record.dead_letters else ""
            how = "pulled over REST" if record.pulls else f"{record.batch_size} at a time"
            return f"consumes {record.queue}, {how}{to}"
        case _:
            assert_never(record)


def _in_workerd(record: Producer | Consumer, service: str) -> dict[str, Value] | None:
    return {"queue": service} if isinstance(record, Producer) else None


KIND = Kind(
    name=NAME,
    typed="Queue",
    section="queues",
    inner="producers",
    friendly="Queue",
    keys=frozenset({"binding", "queue", "delivery_delay", "remote"}),
    read=_read,
    open=_open,
    shown=_shown,
    identity=_identity,
    settings=NAME,
    setting_keys=tuple(f"queues.{key}" for key in _SETTING_KEYS),
    read_settings=_read_settings,
    files=(FOLDER,),
    commands="emulator.cli.queues:queues",
    routes="emulator.server.api.queues:routes",
    trigger="emulator.triggers.queues:trigger",
    workerd=_in_workerd,
    http="bindings.queues.http:answer",
)
