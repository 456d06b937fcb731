"""The host of a test process: workers of the user's tests, each in a session, and their mocks.

`groundfog.testing` starts it as a process of its own (`host.py`) and talks to it over a socket pair
(`wire.py`). It uses `Session` as the command line does.
"""
