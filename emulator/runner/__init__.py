"""The runner: starts guests, speaks the runner protocol with them, answers their binding calls.

It decides nothing about a workflow. Start reading at `runner.py`.
"""
