"""`groundfog vectorize`: indexes, their vectors and metadata indexes, with wrangler's options."""
