"""Tests of the backplane in Redis."""
