"""Durable Objects of Python workers: which are in memory, where, and their events."""
