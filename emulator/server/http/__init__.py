"""HTTP on the wire: sockets, the protocol, and the rules for the head of a request."""
