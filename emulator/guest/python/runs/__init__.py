"""Workflow runs inside the guest: one pass of the user's code, and its steps."""
