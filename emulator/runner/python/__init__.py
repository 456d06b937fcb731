"""Guests in CPython: the forkserver, and what its children print."""
