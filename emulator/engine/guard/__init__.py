"""Whether changed code still fits what an instance has done, and what follows when it does not."""
