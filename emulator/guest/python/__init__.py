"""The Python guest: what runs beside user code, standard library only.

It is loaded under the private name `_groundfog.guest.python`, so that `emulator` and `bindings`
belong to the user inside a guest. So all imports are relative. It owns nothing durable, and knows
neither the state directory nor clocks. Start reading at `boot.py`, then `forkserver.py`,
`guest.py`.
"""
