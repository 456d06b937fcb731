"""The answers of the REST API and of bindings as types: what one side writes and another reads.

`creation` has the one question that REST and a binding both ask.
One module per product. They are typed dicts, so that mypy finds a wrong key on both sides: in the
server or the binding, and in the commands. docs/rest.md lists the routes.
"""
