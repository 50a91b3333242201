"""Where a daemon listens: endpoints, UNIX sockets, certificates, and accepting."""
