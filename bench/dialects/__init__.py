"""The protocols of the peers, a module for each."""
