"""`Words`: the words between nodes, such as questions, answers and EVENTs for a name.

Each node has an inbox in Redis: a numbered list of words. A word is also pushed to the node. If a
node's subscription was silent for a while, the node finds a gap in the numbers, and reads the words
that it has not heard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any
from uuid import uuid4

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.backplane.interface import IBackplaneListener
from chatd.backplane.redis import keys
from chatd.backplane.redis.attachment import Attachment, in_parts
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.packing import WRONG_FORMAT, not_a_push
from chatd.backplane.redis.script import load
from chatd.errors import StoreError

__all__ = ["ANSWER_S", "Words"]

ANSWER_S = 5.0
"""How long a node waits for the others' answers, in seconds."""

_ASK, _TELL_NAME, _INBOX, _DIRECTS = map(load, ("ask", "tellname", "inbox", "directs"))
_NUMBER = Struct(">Q")
_AT_ONCE = 500
_QUESTION, _ANSWER, _FOR_NAME, _DIRECT = b"Q", b"A", b"N", b"D"

_encode = msgspec.msgpack.Encoder().encode
_decode_event = msgspec.msgpack.Decoder(tuple[str, dict[str, Any]]).decode
_decode_question = msgspec.msgpack.Decoder(tuple[str, str, dict[str, Any]]).decode


class Words:
    """Hears and sends words.

    Args:
        link: The link.
        reactor: Measures how long a question waits for its answers.
        fold: Returns the form of a name in which names are compared.
        direct: Called with each push of direct messages.
    """

    _log = Logger()

    def __init__(
        self,
        link: Link,
        reactor: IReactorTime,
        fold: Callable[[str], str],
        direct: Callable[[bytes], None],
    ) -> None:
        self.listener: IBackplaneListener | None = None
        self._link = link
        self._reactor = reactor
        self._fold = fold
        self._direct = direct
        self._heard = 0  # the number of the last word that was heard
        self._heard_at = "0"  # the time of Redis at which no earlier word was unheard
        self._is_reading = False
        self._questions: dict[str, _Question] = {}
        self._inbox = [keys.key("b", link.node), keys.key("q", link.node)]
        link.hear(keys.node_channel(link.node), self._pushed)

    def tell_name(self, name: str, event: Mapping[str, Any]) -> None:
        """See `IBackplane`."""
        key = self._fold(name)
        word = _FOR_NAME + _encode((key, dict(event)))
        self._link.cast(_TELL_NAME, args=(key, word))

    async def ask_all(self, question: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `IBackplane`."""
        id = uuid4().hex
        asked = self._questions[id] = _Question()
        try:
            word = _QUESTION + _encode((self._link.node, id, dict(question)))
            nodes = await self._send(word)
            done = asked.expect(nodes)
            done.addTimeout(ANSWER_S, self._reactor, onTimeoutCancel=lambda value, _: value)
            done.addErrback(lambda failure: failure.trap(CancelledError) and None)
            await done
        finally:
            del self._questions[id]
        return list(asked.answers.values())

    async def attach(self, attachment: Attachment) -> None:
        """Hear the words that came while there was no attachment.

        A node whose lease has ended gets no words.
        """
        await self._read(attachment, is_lost=not attachment.had_lease)

    async def beat(self, attachment: Attachment) -> None:
        """Drop the heard words from the inbox, and hear the words whose pushes got lost."""
        await self._read_again(attachment)

    def others_changed(self, others: Sequence[str]) -> None:
        """Stop waiting for the answers of dead nodes."""
        for asked in list(self._questions.values()):
            asked.keep(others)

    async def _send(self, word: bytes, to: str = "") -> list[str]:
        nodes = await self._link.call(_ASK, [keys.key("nodes")], (word, to))
        return [node.decode() for node in nodes]

    def _pushed(self, data: bytes) -> None:
        try:
            (number,) = _NUMBER.unpack_from(data)
        except WRONG_FORMAT as error:
            raise not_a_push(error) from error
        if number == self._heard + 1:
            self._heard = number
            self._take(data[_NUMBER.size :])
        elif number > self._heard and not self._is_reading:
            attachment = self._link.attachment
            if attachment is not None:
                read = Deferred.fromCoroutine(self._read_again(attachment))
                read.addErrback(_only_lost)  # the next attachment reads

    async def _read_again(self, attachment: Attachment) -> None:
        """Hear the words of the inbox; if words are lost, attach anew.

        They may have been about bans or private rooms, which the daemon reads when the link works.
        """
        if await self._read(attachment):
            attachment.end("words of other daemons are lost")

    async def _read(self, attachment: Attachment, *, is_lost: bool = False) -> bool:
        """Hear the words of the inbox.

        Args:
            attachment: The attachment.
            is_lost: Whether there may be words that are not in the inbox.

        Returns:
            Whether words are lost.
        """
        self._is_reading = True
        since = self._heard_at
        try:
            while True:
                heard = self._heard
                asked = heard, _AT_ONCE
                last, first, words, now = await attachment.call(_INBOX, self._inbox, asked)
                if last < heard:  # begun anew: the lease had ended
                    self._heard = first - 1
                elif first > heard + 1:
                    self._log.warn("{n} words of other daemons are lost", n=first - 1 - heard)
                    self._heard = max(self._heard, first - 1)
                    is_lost = True
                for number, word in enumerate(words, first):
                    if number == self._heard + 1:
                        self._heard = number
                        self._take(word)
                if len(words) < _AT_ONCE:
                    break
        finally:
            self._is_reading = False
        self._heard_at = now.decode()
        if is_lost:
            await self._tell_missed(attachment, since)
        return is_lost

    async def _tell_missed(self, attachment: Attachment, since: str) -> None:
        """Find the names here with direct messages from a time on, of which some were not heard."""
        assert self.listener is not None
        names = {self._fold(name): None for _, name, _, _ in self.listener.present()}
        missed: list[str] = []
        for part in in_parts(names):
            found = await attachment.call(_DIRECTS, args=(since, *part))
            missed += [name.decode() for name in found]
        if missed:
            self.listener.directs_missed(missed)

    def _take(self, word: bytes) -> None:
        """Hear a word; drop it if it is none, since it would be the same at each later reading."""
        try:
            self._hear(word)
        except (StoreError, *WRONG_FORMAT) as error:
            self._log.error("a word of another daemon is dropped: {error}", error=error)

    def _hear(self, word: bytes) -> None:
        listener = self.listener
        assert listener is not None
        kind, rest = word[:1], word[1:]
        if kind == _DIRECT:
            self._direct(rest)
        elif kind == _FOR_NAME:
            key, event = _decode_event(rest)
            listener.heard_for(key, event)
        elif kind == _QUESTION:
            node, id, question = _decode_question(rest)
            Deferred.fromCoroutine(self._answer(node, id, question)).addErrback(_only_lost)
        elif kind == _ANSWER:
            node, id, told = _decode_question(rest)
            asked = self._questions.get(id)
            if asked is not None:
                asked.answered(node, told)

    async def _answer(self, node: str, id: str, question: dict[str, Any]) -> None:
        assert self.listener is not None
        answer = await self.listener.asked(question)
        await self._send(_ANSWER + _encode((self._link.node, id, answer)), node)


class _Question:
    """The answers to a question.

    Attributes:
        answers: The answers, by node.
    """

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self._missing: set[str] = set()
        self._done: Deferred[None] | None = None

    def expect(self, nodes: Sequence[str]) -> Deferred[None]:
        """Return a Deferred that fires when these nodes have answered."""
        self._missing = set(nodes) - self.answers.keys()
        done = self._done = Deferred()
        self._look()
        return done

    def answered(self, node: str, answer: dict[str, Any]) -> None:
        """Take an answer."""
        self.answers[node] = answer
        self._missing.discard(node)
        self._look()

    def keep(self, nodes: Sequence[str]) -> None:
        """Expect the answers of these nodes only."""
        self._missing.intersection_update(nodes)
        self._look()

    def _look(self) -> None:
        if not self._missing and self._done is not None:
            done, self._done = self._done, None
            done.callback(None)


def _only_lost(failure: Failure) -> None:
    failure.trap(StoreError)
