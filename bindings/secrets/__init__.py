"""Secrets Store: secrets by store and name, on this machine."""
