"""The kinds of bindings that are emulated, a module each: `kind.py` says what each of them does,

`registry.py` lists them. Everything that differs from kind to kind asks that list.
"""
