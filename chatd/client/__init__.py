"""A client's side: its session, its commands, and a service that comes back."""
