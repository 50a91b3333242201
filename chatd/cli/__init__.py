"""The `chatd` command."""
