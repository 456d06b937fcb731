"""The command line: arguments in, text and exit codes out. It has no logic of its own."""
