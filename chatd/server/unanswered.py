"""`UnansweredLog`: names a service that does not answer, or answers a message twice."""

from __future__ import annotations

from twisted.logger import Logger

from chatd.transport.hooks import Hook

__all__ = ["UnansweredLog"]


class UnansweredLog:
    """Names a hook that gave no answer or two, once each: its author has probably made a mistake.

    A service may also answer later, so that no answer is no failure.
    """

    log = Logger()

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def note(self, hook: Hook) -> None:
        """Note that a hook is done with a message, and the sender has no answer."""
        self._note(
            "{hook} has not answered a message: publish it, reply to it, raise RequestError, or "
            "await or return the result of super().message_received; else the sender waits for "
            "ever (this is logged once)",
            hook,
        )

    def note_command(self, hook: Hook) -> None:
        """Note that a hook is done with a command, and the client has no answer."""
        self._note(
            "{hook} has not answered a command: call send_result, raise RequestError, or await or "
            "return the result of super().command_received; else the client waits for ever (this "
            "is logged once)",
            hook,
        )

    def note_second_answer(self, hook: Hook) -> None:
        """Note that a hook answered a message that had an answer already."""
        self._note(
            "{hook} has replied to a message that was answered already: the client's send has "
            "the first answer, and the second is an ordinary message (this is logged once)",
            hook,
        )

    def _note(self, text: str, hook: Hook) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.log.warn(text, hook=getattr(hook, "__qualname__", repr(hook)))
