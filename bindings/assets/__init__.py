"""Static assets: files of a folder over HTTP, before the worker or beside it.

`assets.py` answers requests, `html.py` says which file a path means, `folder.py` finds it.
"""
