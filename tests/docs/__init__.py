"""Tests that the commands in the documents do what the documents say."""
