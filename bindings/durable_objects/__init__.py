"""Durable Objects: the storage of each object, which the host keeps. Start reading at `storage`."""
