"""`UnansweredLog`: names a service that does not answer a message."""

from __future__ import annotations

from twisted.logger import Logger

from chatd.transport.hooks import Hook

__all__ = ["UnansweredLog"]


class UnansweredLog:
    """Names a `message_received` that gave no answer, once: its author has probably forgotten it.

    A service may also answer later, so that this is no failure.
    """

    log = Logger()

    def __init__(self) -> None:
        self._was_noted = False

    def note(self, hook: Hook) -> None:
        """Note that a hook is done with a message, and the sender has no answer."""
        if self._was_noted:
            return
        self._was_noted = True
        self.log.warn(
            "{hook} has not answered a message: publish it, reply to it or raise RequestError, or "
            "the sender waits for ever (this is logged once)",
            hook=getattr(hook, "__qualname__", repr(hook)),
        )
