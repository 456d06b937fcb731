"""The commands of `groundfog workflows`: one module for each, or for a few that belong together."""
