"""The parts of hosting workerd that need no workerd."""
