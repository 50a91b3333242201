"""The files that an operator gives."""
