"""The network as a worker's `fetch` reaches it."""
