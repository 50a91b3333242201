"""How each peer is spoken to: a module for each protocol."""
