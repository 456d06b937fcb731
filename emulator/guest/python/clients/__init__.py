"""The clients on `env`, one module per kind: JavaScript's method names, Python's values."""
