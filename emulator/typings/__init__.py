"""Types for editors and checkers: `Env` of a project, and stubs of `workers`, `js`, `pyodide`.

`env` writes what a project has on `env`, `params` finds the types of workflows' params, `files`
puts it on the disk beside the stubs of `stubs/`, which are copied as they are.
"""
