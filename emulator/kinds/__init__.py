"""The kinds of bindings that are emulated. `registry.py` lists them; `kind.py` says what each does.

Everything that differs from kind to kind asks that list.
"""
