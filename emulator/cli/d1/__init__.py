"""`groundfog d1`: the project's local databases, as files. Start reading at `group`."""

from emulator.cli.d1.group import d1 as d1
