"""The parts of Cloudflare's REST API that are served here: v4 paths and the local explorer's."""
