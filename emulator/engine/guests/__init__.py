"""What the engine knows of guests: how fast each reads, and which instance ends them."""
