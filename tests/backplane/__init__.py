"""Tests of the backplanes."""
