"""Instances as people and programs outside see them: details, events, exports."""
