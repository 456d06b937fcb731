"""One module a command of `groundfog workflows`, or a few that belong together."""
