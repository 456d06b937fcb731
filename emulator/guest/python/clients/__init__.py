"""The clients on `env`, one module per kind: JavaScript's method names, Python's values.

A kind's module has the kind's name, and its client is `CLIENT`. The others help them.
"""
