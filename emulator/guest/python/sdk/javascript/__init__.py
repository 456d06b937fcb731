"""JavaScript's globals, written in Python: what `js` hands out (`sdk/js.py` has the list)."""
