"""One module a command: `run(options, events, terminal) -> exit code`."""
