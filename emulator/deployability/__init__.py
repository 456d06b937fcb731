"""What works here and breaks when it is deployed, found in the source without running it.

`project` puts the rules together; each other module has rules of one sort. What a running worker
does is watched in the guest (`guest/python/lacking.py`).
"""
