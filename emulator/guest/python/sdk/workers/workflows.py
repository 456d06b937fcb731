"""`workers.workflows`."""

from __future__ import annotations


class NonRetryableError(Exception):
    """Raised in a step, it fails the step at once; recognised by its exact class name."""


NonRetryableError.__module__ = "workers.workflows"
