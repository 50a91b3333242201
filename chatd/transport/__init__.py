"""The common part of server and client: a session on a transport, its writes and its losses."""
