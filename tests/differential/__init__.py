"""Official programs (wrangler, Pyodide) beside ours: `pytest tests/differential` runs them."""
