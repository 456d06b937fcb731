"""Durable execution of workflow instances: decide, record, act.

`engine.py` owns the instances in memory, `journal.py` what is durable, `timers.py` the wake-ups;
`steps.py`, `lifecycle.py` and `retries.py` decide and do nothing. It knows neither HTTP, processes,
guests nor bindings: it sends protocol messages to whatever satisfies `engine.Guest`.
"""
