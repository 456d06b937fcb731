"""The asynchronous face of workers in tests. `groundfog/testing/sync/` is made from it.

`python -m scripts.sync_face` writes that; `tests/testing/test_sync_face.py` compares.
"""
