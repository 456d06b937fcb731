"""What follows from a call, a deadline or a wish. Pure: a module never waits, writes or sends."""
