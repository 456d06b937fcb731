"""The worker of a project that has assets and no code."""
