"""S3's API for the buckets of the configuration. `docs/r2.md` is for users."""
