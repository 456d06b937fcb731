"""Instances for people and other programs: details, events, exports."""
