"""KV: values by key, with metadata and expiry. `kv.py` is the binding, `http.py` workerd's door."""
