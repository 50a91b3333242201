"""Where what was said is kept: one interface, `IMessageStore`, and what implements it."""
