"""A listener that notes all that it hears."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import implementer

from chatd.backplane.interface import IBackplaneListener


@implementer(IBackplaneListener)
class Notes:
    """Notes what it hears; `until` waits for it.

    Attributes:
        messages: The messages of each stream.
        moves: The streams with another epoch, with their heads.
        misses: The streams with missed messages, with the last place of them.

        heads: The open streams at each new attachment, with their heads.
        directs: The direct messages.
        states: The states of the link.
    """

    def __init__(self):
        self.messages = {}
        self.moves = []
        self.misses = []

        self.heads = []
        self.directs = []
        self.missed_names = []
        self.events = []
        self.states = []
        self.lost = []
        self.sessions = []  # what `present` returns
        self.inside = []  # what `rooms_inside` returns
        self.limit = 500  # what `presence_limit` returns
        self.questions = []
        self._waiting = []

    def heard(self, stream, messages):
        self.messages.setdefault(stream, []).extend(messages)
        self._look()

    def moved(self, stream, head):
        self.moves.append((stream, head))
        self._look()

    def missed(self, stream, seq):
        self.misses.append((stream, seq))
        self._look()

    def stands(self, stream, head):
        self.heads.append((stream, head))

    def heard_event(self, stream, event, but):
        self.events.append((stream, event, but))
        self._look()

    def heard_direct(self, message):
        self.directs.append(message)
        self._look()

    def directs_missed(self, names):
        self.missed_names.extend(names)
        self._look()

    def heard_for(self, name, event):
        self.events.append((name, event))
        self._look()

    async def asked(self, question):
        self.questions.append(question)
        self._look()
        return {"asked": dict(question)}

    def names_lost(self, sessions):
        self.lost.extend(sessions)
        self._look()

    def presence_limit(self):
        return self.limit

    def present(self):
        return self.sessions

    def rooms_inside(self):
        return self.inside

    def linked(self, state):
        self.states.append(state)
        self._look()

    def ids(self, stream):
        """Return the ids of the messages of a stream."""
        return [message.id for message in self.messages.get(stream, ())]

    async def until(self, condition):
        """Wait until a condition holds; it is looked at whenever something is heard."""
        if not condition():
            waiting: Deferred[None] = Deferred()
            self._waiting.append((condition, waiting))
            await waiting

    def _look(self):
        for each in list(self._waiting):
            if each[0]():
                self._waiting.remove(each)
                each[1].callback(None)
