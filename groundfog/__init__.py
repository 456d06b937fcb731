"""Groundfog's public door: `python -m groundfog`, and the version.

What is importable from here is public. `emulator` and `bindings`, where the work is done, are not.
"""

__version__ = "0.2.0"
