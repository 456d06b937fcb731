"""wrangler.toml, .dev.vars and groundfog.toml -> one frozen `Config`, every problem with file:line.

Reads files and nothing else: no network, no process, no database.
"""
