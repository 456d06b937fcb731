"""HTTP: who may ask what (`security.py`), the worker's requests (`ingress.py`), routes (`app.py`).

`api/` has the REST API, one module or folder for each product. `http/` has the protocol: sockets,
heads, limits of bodies. `workerd_door.py` is how the front of a workerd process asks the same app.
"""
