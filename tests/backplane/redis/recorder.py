"""A client that keeps what it gets."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from chatd import ChatClient


class Recorder(ChatClient):
    """A client that keeps what it gets; `until` waits for it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.got: list[Any] = []
        self._waiting: list[Any] = []

    def message_received(self, message, is_receipt):
        self.got.append(message.text)
        self._look()

    def event_received(self, event):
        self.got.append(event)
        self._look()

    def ended(self, reason):
        self.got.append(reason.code)
        self._look()

    async def until(self, condition):
        """Wait until a condition of what was got holds."""
        if not condition(self.got):
            waiting: Deferred[None] = Deferred()
            self._waiting.append((condition, waiting))
            await waiting

    async def until_got(self, *expected):
        """Wait until these texts or EVENTs came, in this order, among others."""

        def came(got):
            rest = iter(got)
            return all(any(each == one for one in rest) for each in expected)

        await self.until(came)

    def _look(self):
        for each in list(self._waiting):
            if each[0](self.got):
                self._waiting.remove(each)
                each[1].callback(None)
