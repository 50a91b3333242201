"""A server's side: the factory, its sessions, who is let in, and what each may take."""
