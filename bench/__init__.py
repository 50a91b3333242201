"""chatd beside its peers: who is faster, by how much, and what a session costs."""
