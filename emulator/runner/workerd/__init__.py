"""Guests in workerd: TypeScript and JavaScript workers, one process for each generation.

Start reading at `source.py`. What runs beside user code is in `emulator/guest/javascript`.
"""
