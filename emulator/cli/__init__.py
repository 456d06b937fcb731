"""The command line: arguments in, text and exit codes out. It has no other logic."""
