"""Programs that measure Groundfog, and its rivals if they are installed; see README.md."""
