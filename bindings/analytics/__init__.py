"""Analytics Engine: data points that a worker writes, kept in a file."""
