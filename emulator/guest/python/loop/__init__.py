"""The event loop of a guest: waiting inside synchronous code, and loops that user code makes."""
