"""The daemon as a process: options, signals, files, and the assembled service."""
