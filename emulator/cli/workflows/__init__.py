"""`groundfog workflows`: workflow instances from the command line. Clients of the REST API.

`group` lists the commands, `access` finds who answers them: a running server (`remote`) or, when
none runs, the same routes on the journal itself (`local`). What is shown is drawn by `timeline`.
"""
