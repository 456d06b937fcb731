"""wrangler.toml, .dev.vars and groundfog.toml -> one frozen `Config`, every problem with file:line.

Reads files and nothing else: no network, no process, no database. `keys.py` lists all keys of
wrangler. `worker_section.py` and the other sections read those of a worker, `kinds/` those of
bindings, `groundfog_toml.py` our own.
"""
