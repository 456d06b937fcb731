"""What follows from a call, a deadline or a user's command. Pure: no waiting, writing, sending."""
