"""The SQL of Analytics Engine: read, made into SQLite's, run on the stored data points.

`reading` makes a tree of the text, `compiling` makes SQLite's SQL of the tree, `functions`, `times`
and `aggregates` are what it may call, `running` runs it, `formats` writes the rows.
"""
