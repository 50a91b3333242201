"""The `chatd` command: its arguments, its terminal client and its output."""
