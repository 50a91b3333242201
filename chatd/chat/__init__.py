"""The chat: rooms, their members and their order; no bytes, sockets or Twisted."""
