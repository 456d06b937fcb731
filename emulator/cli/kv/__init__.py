"""`groundfog kv`: reads and changes the project's local KV namespaces."""
