"""Draws an instance on the terminal: cards, timelines, progress."""
