"""The client side: a session, its commands, and a service that reconnects."""
