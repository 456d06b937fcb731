"""The command line: arguments in, text and exit codes out. It has no other logic.

`main.py` lists the commands. Each has a module or folder of its name: `dev`, `exec`, `clock`,
`workflows/commands/`, and one for each kind of binding that has commands. The other modules are
what commands share: options, output, tables, and the terminal of a running server.
"""
