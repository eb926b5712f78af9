"""One file a command: its stem is the name, its `command` the click command. Nothing heavy is imported at its top."""
