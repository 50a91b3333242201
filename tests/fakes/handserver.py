"""Shared parts of the clients' tests: a server that the test drives, and its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.client.client import ChatClient
from chatd.client.factory import ChatClientFactory
from chatd.wire.codec import Codec
from chatd.wire.messages import ChatHeader, Error, Message, MessageType, SessionInit
from tests.fakes.peers import Peer

ADDRESS = IPv4Address("TCP", "192.0.2.1", 9_999)


@implementer(IStreamClientEndpoint)
class HandServer:
    """A hand-driven server, as an endpoint: the test decides what it sends.

    Attributes:
        peers: The connections to it, the oldest first.
    """

    def __init__(self) -> None:
        self.peers: list[Peer] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol: Any = factory.buildProtocol(ADDRESS)
        self.peers.append(Peer(protocol, Codec()))
        return succeed(protocol)

    @property
    def peer(self) -> Peer:
        """The latest connection."""
        return self.peers[-1]


def welcome(peer: Peer, name: str = "alice", **fields: object) -> Message:
    """Greet and welcome a client from a hand-driven server; return the answer to the greeting.

    Args:
        peer: The connection.
        name: The client's name.
        fields: Further fields of the welcome.
    """
    peer.send(Message(MessageType.SESSION_INIT, SessionInit(session_id="s")))
    turn(peer)
    (answer,) = peer.take()
    header = {"event": "welcome", "session_id": "s", "name": name, "room": "lobby", **fields}
    peer.send(Message(MessageType.EVENT, header))
    turn(peer)
    return answer


def answer_commands(
    peer: Peer, answer: Callable[[dict[str, Any]], dict[str, Any] | str | None]
) -> list[dict[str, Any]]:
    """Answer the commands that wait at a hand-driven server; return their headers.

    Args:
        peer: The connection.
        answer: Returns the fields of the RESULT, the code of the ERROR, or None for no answer.
    """
    headers: list[dict[str, Any]] = []
    while commands := [fields_of(each) for each in peer.take() if each.type == MessageType.COMMAND]:
        for header in commands:
            fields = answer(header)
            if isinstance(fields, str):
                error = Error(code=fields, message="no", ref=header["id"])
                peer.send(Message(MessageType.ERROR, error))
            elif fields is not None:
                peer.send(Message(MessageType.RESULT, {**fields, "id": header["id"]}))
        headers += commands
        turn(peer)
    return headers


def fields_of(message: Message) -> dict[str, Any]:
    """Return the header of a COMMAND, a RESULT or an EVENT."""
    assert isinstance(message.header, dict)
    return message.header


def answering(command: Mapping[str, Any], messages: Iterable[Message]) -> list[Message]:
    """Return the messages as the answer to a command, with its header."""
    return [message.with_ref(command["id"]) for message in messages]


def turn(peer: Peer) -> None:
    """End the turn of the client that a hand-driven server talks to."""
    peer.protocol._clock.advance(0)


def noting(heard: list[str]) -> type[ChatClient]:
    """Return a class of clients that record the texts that they receive."""

    class Noting(ChatClient):
        def message_received(self, message: Message, is_receipt: bool) -> None:
            heard.append(message.text)

    return Noting


def hand_peer(test: SynchronousTestCase, heard: list[str]) -> tuple[Peer, ChatClient]:
    """Welcome a client that records its messages, by hand; the test's cleanup closes it."""
    client = ChatClientFactory(Clock(), protocol=noting(heard)).buildProtocol(None)
    peer = Peer(client, Codec())
    welcome(peer)
    test.addCleanup(peer.transport.lose)
    return peer, client


def direct(text: str, seq: int = 1, sender: str = "bob", to: str = "alice") -> Message:
    """Return a direct message as a server delivers it; its id is the text."""
    header = ChatHeader(id=text, to=to, sender=sender, seq=seq)
    return Message(MessageType.MESSAGE, header, text.encode())


def said(text: str, seq: int, sender: str = "bob", room: str = "lobby") -> Message:
    """Return a message of a room as a server delivers it; its id is the text."""
    header = ChatHeader(id=text, room=room, sender=sender, seq=seq)
    return Message(MessageType.MESSAGE, header, text.encode())
