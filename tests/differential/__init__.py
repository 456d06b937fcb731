"""Values, requests and forms as the published SDK has them in Pyodide, and as ours has them."""
