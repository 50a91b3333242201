"""Stores of messages: the interface `IMessageStore`, and its implementations."""
