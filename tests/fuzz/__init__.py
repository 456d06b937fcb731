"""Fuzzers as programs: `python -m tests.fuzz TARGET SECONDS [SEED]`; `--list` names the targets."""
