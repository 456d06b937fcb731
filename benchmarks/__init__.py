"""Programs that measure Groundfog, and its rivals where they are installed; see README.md."""
