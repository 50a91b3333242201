"""Tests of clocks that jump: a wall clock that is set, or a machine that slept."""

from __future__ import annotations

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.moderation import Ban, Bans
from chatd.client.factory import ChatClientFactory
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.errors import RequestError
from chatd.wire.codec import Codec
from chatd.wire.messages import Message, MessageType
from tests.fakes.handserver import welcome
from tests.fakes.peers import Peer, greeted_client, hand_client, memory_factory, pong, settle

HEARTBEAT_S = 5.0
HOUR_S = 3_600.0
YEAR_S = 365 * 24 * HOUR_S


class SessionsTests(SynchronousTestCase):
    """The clock of the heartbeats may be a wall clock: a jump is no silence."""

    def setUp(self) -> None:
        self.factory = memory_factory(heartbeat_s=HEARTBEAT_S)
        self.clock: Clock = self.factory.clock
        self.clients = [hand_client(self.factory, f"c{number}") for number in range(50)]
        for client in self.clients:
            client.take()

    def pings(self, client: Peer) -> int:
        """Answer a client's pings, and count them."""
        pings = [frame for frame in client.take() if frame.type == MessageType.HEARTBEAT]
        for ping in pings:
            client.send(pong(ping.header.n))
        return len(pings)

    def let_pass(self, seconds: float) -> None:
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)

    def test_sessions_go_on(self) -> None:
        """A jump of a year ends no session: the server pings each once, and sessions go on."""
        for _ in range(2 * SILENT_INTERVALS):
            self.clock.advance(YEAR_S)
            self.assertEqual({self.pings(client) for client in self.clients}, {1})
            self.assertEqual(len(self.factory.sessions), len(self.clients))
        for _ in range(3):
            self.let_pass(HEARTBEAT_S)
            self.assertLessEqual({self.pings(client) for client in self.clients}, {0, 1, 2})
        self.assertEqual(len(self.factory.sessions), len(self.clients))

    def test_silent_sessions_end(self) -> None:
        """A session that was silent before and stays silent ends all the same; no other does."""
        silent = self.clients.pop()
        self.clock.advance(YEAR_S)
        for _ in range(SILENT_INTERVALS + 2):
            for client in self.clients:
                self.pings(client)
            self.let_pass(HEARTBEAT_S)
        self.assertEqual(len(self.factory.sessions), len(self.clients))
        self.assertEqual(silent.protocol.connection.end_reason.code, "heartbeat-timeout")

    def test_one_jump_is_one_interval(self) -> None:
        """A jump costs a session at most one interval."""
        for _ in range(SILENT_INTERVALS - 1):
            self.clock.advance(HOUR_S)
        self.assertEqual(len(self.factory.sessions), len(self.clients))

    def test_who_is_not_welcomed_yet(self) -> None:
        """A client in its handshake gets an end that invites it to come back."""
        late = greeted_client(self.factory)
        self.clock.advance(YEAR_S)
        (end,) = late.take()
        self.assertEqual((end.header.code, end.header.retry), ("handshake-timeout", True))

    def test_what_is_said(self) -> None:
        """Messages before and after the jump have consecutive places."""
        speaker, listener = self.clients[:2]
        speaker.say("before")
        settle(self.factory)
        self.clock.advance(YEAR_S)
        speaker.say("after")
        settle(self.factory)
        said = [frame for frame in listener.take() if frame.type == MessageType.MESSAGE]
        self.assertEqual([(it.text, it.seq) for it in said], [("before", 1), ("after", 2)])
        self.assertEqual(said[1].time - said[0].time, YEAR_S)


class ClientTests(SynchronousTestCase):
    """The clock of a client."""

    def test_goes_on(self) -> None:
        """Jumps of an hour end no session if the server sends now and then."""
        clock = Clock()
        client = ChatClientFactory(clock, name="alice").buildProtocol(None)
        server = Peer(client, Codec())
        self.addCleanup(server.transport.lose)
        welcome(server)
        for number in range(10):
            clock.advance(HOUR_S)
            server.send(Message(MessageType.HEARTBEAT, {"n": number}, b"ping"))
            clock.advance(0)
        self.assertTrue(client.is_active)


class BansTests(SynchronousTestCase):
    """The wall clock, which decides when bans end."""

    def setUp(self) -> None:
        self.now = YEAR_S
        self.bans = Bans(save=self.save, lock=DeferredLock(), unix_time=lambda: self.now)
        self.ban(Ban(name="mallory", until=self.now + HOUR_S))

    async def save(self, bans: list[Ban]) -> None:
        """Keep the bans nowhere."""

    def ban(self, ban: Ban) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.bans.add(ban)))

    def is_banned(self) -> bool:
        try:
            self.bans.check("mallory", "local")
        except RequestError:
            return True
        return False

    def test_back(self) -> None:
        """If the clock is set back, it reaches a ban's end later: the ban lasts until then."""
        self.now -= YEAR_S
        self.assertTrue(self.is_banned())
        self.now += YEAR_S + HOUR_S
        self.assertFalse(self.is_banned())

    def test_forward_and_back(self) -> None:
        """A clock that is set forward by mistake and back again ends no ban early."""
        self.now += YEAR_S
        self.assertFalse(self.is_banned())
        self.now -= YEAR_S
        self.assertTrue(self.is_banned())

    def test_for_good(self) -> None:
        """A ban without an end lasts for ever, with any clock."""
        self.ban(Ban(name="mallory"))
        for jump in (YEAR_S, -2 * YEAR_S):
            self.now += jump
            self.assertTrue(self.is_banned())
