"""What user code imports: `workers`, `js` and `pyodide`."""
