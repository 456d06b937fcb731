"""Stands for the code that a project does not have: assets answer every request before it."""

from workers import WorkerEntrypoint  # type: ignore[import-not-found]


class Default(WorkerEntrypoint):  # type: ignore[misc]
    """Nothing is asked of it."""
