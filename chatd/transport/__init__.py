"""What both sides share: a session on a transport, its writes and its losses."""
