"""`groundfog vectorize`: indexes, their vectors and their metadata indexes, in wrangler's words."""
