"""What the engine remembers of an instance, and which step is which. Pure."""
