"""Queues: messages that wait for a consumer. `broker.py` keeps them, `queue.py` is the producer."""
