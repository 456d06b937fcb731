"""The projects that `groundfog init` writes, a folder for each template. No module imports them.

Each is a project as it stands: its name, `my-worker`, is replaced by that of the new folder.
"""
