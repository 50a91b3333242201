"""What several daemons of one chat share: the interface `IBackplane`, and its implementation."""
