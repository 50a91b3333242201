"""Benchmarks: the speed of chatd and its peers, and the cost of a session."""
