"""Stands in for Pyodide's `pyodide` package: what Python workers import from it."""

__version__ = "0.28.2"  # the Pyodide of Python 3.13 workers
