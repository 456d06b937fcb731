"""`groundfog workflows`: workflow instances from the command line. Clients of the REST API.

`group` lists the commands. `access` finds what answers them: a running server (`remote`), or the
same routes on the journal itself when no server runs (`local`). `drawing/` makes the output.
"""
