"""The answers of the REST API as types: what the server writes and its clients read.

One module per product. They are typed dicts, so that mypy finds a wrong key on both sides. The
facts are in docs/rest.md. Answers about a binding that commands also ask directly are in its
folder: `bindings/ai/ledger.py`, `bindings/d1/jobs.py`, `bindings/vectorize/answers.py`.
"""
