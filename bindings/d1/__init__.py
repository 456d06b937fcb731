"""The D1 binding: a SQLite database behind Cloudflare's D1 rules. Start reading at `database`."""

from bindings.d1.database import D1 as D1
