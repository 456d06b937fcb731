"""An instance on the terminal: cards, timelines, progress."""
