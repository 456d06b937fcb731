"""The runner protocol: its messages, their bytes and the values they carry. No I/O.

`PROTOCOL.md` is the specification. Standard library only: guests load this package too, under a
private name, because `emulator` may be a module of the user's own inside a guest.
"""
