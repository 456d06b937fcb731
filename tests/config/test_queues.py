"""`[queues]`: producers and consumers, and what is refused."""

from __future__ import annotations

import pytest

from emulator.kinds.queues import Consumer, Producer, queue_names
from tests.config.project import Project


def test_everything_is_read(project: Project) -> None:
    project.write("groundfog.toml", "")
    project.toml(
        '[[queues.producers]]\nbinding = "JOBS"\nqueue = "jobs"\ndelivery_delay = 5\n'
        '[[queues.consumers]]\nqueue = "jobs"\nmax_batch_size = 20\nmax_batch_timeout = 0\n'
        'max_retries = 7\nmax_concurrency = 2\nretry_delay = 3\ndead_letter_queue = "dead"\n'
        '[[queues.consumers]]\nqueue = "dead"\ntype = "http_pull"\n'
    )
    config = project.load()
    ((name, producer),) = [(each.name, each.record) for each in config.bound(Producer)]
    assert (name, producer.queue, producer.delay_s) == ("JOBS", "jobs", 5)
    assert [each.record for each in config.bound(Consumer)] == [
        Consumer("jobs", 20, 0, 7, 2, 3, "dead"),
        Consumer("dead", pulls=True),
    ]
    assert queue_names(config) == ["dead", "jobs"]


def test_groundfog_toml_says_how_long_batches_wait(project: Project) -> None:
    project.toml('[[queues.consumers]]\nqueue = "jobs"\n')
    project.write("groundfog.toml", '[queues]\nbatch_timeout = "200 ms"\n')
    assert "queues.batch_timeout" in project.problem()
    project.write("groundfog.toml", "[queues]\nbatch_timeout = 200\n")
    assert [each.record.timeout_ms for each in project.load().bound(Consumer)] == [200]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[queues.producers]]\nbinding = "A"\n', "queues.producers[0] has no queue"),
        (
            '[[queues.producers]]\nbinding = "A"\nqueue = "q"\ndelivery_delay = -1\n',
            "delivery_delay",
        ),
        ("[[queues.consumers]]\n", "queues.consumers[0] has no queue"),
        ('[[queues.consumers]]\nqueue = "q"\nmax_batch_size = 101\n', "max_batch_size is 101"),
        ('[[queues.consumers]]\nqueue = "q"\nmax_batch_timeout = 61\n', "max_batch_timeout is 61"),
        ('[[queues.consumers]]\nqueue = "q"\ntype = "x"\n', 'type is "x"'),
        ('[[queues.consumers]]\nqueue = "q"\n' * 2, "which has a consumer already"),
        ("queues = []\n", "queues is an array; expected an object"),
        ("[queues]\nproducers = 1\n", "queues.producers is 1"),
    ],
)
def test_a_wrong_value_is_named(project: Project, text: str, told: str) -> None:
    project.toml(text)
    assert told in project.problem()
