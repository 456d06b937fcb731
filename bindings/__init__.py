"""The resources on `env`: one module per kind, each built from plain values.

A binding knows neither the configuration nor the process that calls it: see `binding.py`.
"""
