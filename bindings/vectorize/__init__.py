"""Vectorize: exact vector search over one SQLite file per index.

Read `index.py` for what a call does, `store.py` for what is on disk, `search.py` for scores.
"""

from bindings.vectorize.index import Vectorize

__all__ = ["Vectorize"]
