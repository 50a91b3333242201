"""The server: the factory, the sessions, admission of clients, and limits for peers."""
