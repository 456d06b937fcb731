"""Tests mirror the tree of the code; `tests/end_to_end/` starts the real command."""
