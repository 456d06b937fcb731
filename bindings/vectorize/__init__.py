"""Vectorize: exact vector search over one SQLite file per index.

Read `index.py` for what a call does, `store.py` for what is on disk, `search.py` for how the
nearest vectors are found.
"""
