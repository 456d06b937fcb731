"""What calls a worker by itself: a module for each kind that does. `triggers.py` runs them."""
