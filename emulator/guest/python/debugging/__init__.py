"""Debuggers in a guest. Nothing of it is imported before a debugger is asked for."""
