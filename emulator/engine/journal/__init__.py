"""The journal: the durable record of instances, and all of the engine's SQL."""
