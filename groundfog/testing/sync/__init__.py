"""The face of workers in tests that needs no event loop. Made from `aio/`: change that.

`python scripts/sync_face.py` writes this folder.
"""
