"""The command line: arguments in, text and exit codes out. No logic a test would want to call."""
