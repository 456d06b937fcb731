"""R2: objects in buckets.

`bucket.py` performs requests, `index.py` has the SQL, `blobs.py` the bytes.
"""
