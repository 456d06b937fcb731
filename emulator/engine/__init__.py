"""Durable execution of workflow instances: decide, record, act.

`engine.py` owns the instances in memory and does what was decided. The folders, from the bottom:
`model/` is what is known of an instance, `decide/` says what follows, `runs/` are passes of user
code, `guard/` compares changed code with history, `guests/` knows who runs where, `journal/` is
what is durable, `views/` tells it to people. The engine knows neither HTTP nor processes, neither
kinds of guests nor bindings: it sends protocol messages to whatever satisfies `runs.run.Guest`.
"""
