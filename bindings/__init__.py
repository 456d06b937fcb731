"""The resources on `env`: one module per kind, each built from plain values.

A binding does not know the configuration, nor the process that calls it: see `binding.py`.
"""
