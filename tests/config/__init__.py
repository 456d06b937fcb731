"""The configuration layer, with real files in temporary directories."""
