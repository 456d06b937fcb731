"""The D1 binding: a SQLite database behind Cloudflare's D1 rules. Start reading at `database`."""
