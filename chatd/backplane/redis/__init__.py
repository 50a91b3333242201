"""The backplane in Redis."""
