"""Email: what a worker sends, receives, forwards and answers, in a mailbox on this machine."""
