"""Durable execution of workflow instances: decide, record, act.

`engine.py` hears guests, users and time, and asks the part that knows. A part decides, records
through `roster.py` and returns `actions.py`, which `engine.py` performs. The folders, from the
bottom: `model/` is what is known of an instance, `decide/` says what follows, `guests/` knows
guests, `journal/` is what is durable, `guard/` compares changed code with history, `runs/` are
passes of user code, `views/` tells it to people. The engine knows neither HTTP nor processes,
neither kinds of guests nor bindings: it sends protocol messages to whatever satisfies
`guests.guest.Guest`.
"""
