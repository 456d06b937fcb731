"""Durable Objects in a guest: their instances, what `self.ctx` is, and their storage."""
