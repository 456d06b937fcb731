"""Crash tests: random workflows under the real command, killed at named points and at random."""
