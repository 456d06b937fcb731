"""Runs in memory: one pass of user code each, its deadlines, and who runs next."""
