"""Runs in memory, deadlines, and which instance runs next."""
