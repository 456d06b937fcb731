"""Rate limits: how many calls a key may make in a time."""
