"""Tests of a service of your own: in memory first, then on a real socket.

Run it: python -m twisted.trial test_echo
Trial comes with Twisted. pytest runs these tests too.
"""

from echo_server import EchoFactory
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

import chatd
from chatd.testing import MemoryServer, running_server


class EchoTests(SynchronousTestCase):
    """The echo service without a network, under trial and pytest."""

    def test_comes_back(self) -> None:
        """A message comes back to its sender."""
        server = MemoryServer(EchoFactory)
        client = server.connect("alice")
        answer = client.send("hello")
        server.pump()
        self.assertEqual(self.successResultOf(answer).text, "hello")

    def test_refusals(self) -> None:
        """The service refuses an unknown command, and the session goes on."""
        server = MemoryServer(EchoFactory)
        client = server.connect("alice")
        answer = client.command("dance")
        server.pump()
        error = self.failureResultOf(answer, chatd.RequestError).value
        self.assertEqual(error.code, chatd.ErrorCode.UNKNOWN_COMMAND)
        self.assertTrue(client.is_active)

    def test_taken_name(self) -> None:
        """The server refuses a second client of a name."""
        server = MemoryServer(EchoFactory)
        server.connect("alice")
        with self.assertRaises(chatd.SessionRefused) as refused:
            server.connect("alice")
        self.assertEqual(refused.exception.code, chatd.ErrorCode.NAME_TAKEN)

    def test_time(self) -> None:
        """Time passes only when the test advances it: a minute of heartbeats takes no time."""
        server = MemoryServer(EchoFactory, heartbeat_s=5.0)
        client = server.connect("alice")
        server.advance(60)
        self.assertEqual(client.heartbeats, 12)


class SocketTests(TestCase):
    """The same over a real socket, which is removed afterwards."""

    async def test_on_a_unix_socket(self) -> None:
        """A test that is a coroutine waits for the network."""
        async with running_server(reactor, EchoFactory(reactor), "unix") as server:
            client = await chatd.connect(reactor, server.endpoint, name="alice")
            session = await server.wait_for_session("alice")
            self.assertTrue(session.is_active)
            self.assertEqual((await client.send("hello")).text, "hello")
            await client.disconnect()
