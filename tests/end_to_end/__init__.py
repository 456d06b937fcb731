"""The real command, as a user runs it: real processes, files and HTTP."""
