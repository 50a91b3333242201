"""Listening: endpoints, UNIX sockets, certificates, and accepting connections."""
