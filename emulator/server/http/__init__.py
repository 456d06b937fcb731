"""HTTP on the wire: sockets, the protocol, and what a request's head may look like."""
