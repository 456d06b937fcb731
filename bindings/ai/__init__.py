"""Workers AI: every model answered on this machine, the same way every time.

Read `ai.py` for the path of a call, `catalogue.py` for the models, `rules.py` for fixed answers,
`settings.py` for what a project may choose.
"""
