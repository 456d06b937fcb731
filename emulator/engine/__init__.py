"""Durable execution of workflow instances: decide, record, act.

`engine.py` hears guests, users and time, and asks the part that knows. A part decides, records
through `roster.py` and returns actions (`actions.py`), which `engine.py` performs. The folders,
from the bottom: `model/` is what is known about an instance; `decide/` says what follows;
`guests/` knows how guests read and who ends them; `journal/` is the durable record; `guard/`
compares changed code with history; `runs/` are passes of user code; `views/` shows instances to
people. The engine does not know HTTP, processes, kinds of guests or bindings: it sends protocol
messages to a `Guest`.
"""
