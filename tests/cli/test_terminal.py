"""The interactive client, with its keys typed and its lines shown in memory."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError

from chatd import ChatFactory, ConfigurationError, SessionRefused
from chatd.cli.status import Status
from chatd.cli.terminal import Terminal
from tests.cli.conversation import CTRL_C, CTRL_D, ENTER, TerminalCase
from tests.cli.wiring import CommandReactor


class Silent(ChatFactory):
    """A server that hears what is said, and never answers."""

    heard = ()

    def message_received(self, session, message):
        self.heard = [*self.heard, message.text]
        return Deferred()


class TypingTests(TerminalCase):
    def test_say(self):
        """A line is sent, and shown when it was received."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello there" + ENTER)
            await it.shown("alice: hello there")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(self.sessions(), {})

    def test_hear(self):
        """What the server says is shown, and what is being typed is kept."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half")
            self.reactor.server.send_to_room("lobby", "to all")
            await it.shown("server: to all")
            it.type(" and half" + ENTER)
            await it.shown("alice: half and half")
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_nothing_typed(self):
        """A line of nothing but spaces is not sent."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type(ENTER + "  " + ENTER + "something" + ENTER)
            await it.shown("alice: something")
            it.type(" exit " + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(self.reactor.server.rooms["lobby"].seq, 1)

    def test_interrupt(self):
        """Ctrl+C leaves with a status of its own, and says goodbye."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half a line" + CTRL_C)

        self.assertEqual(self.converse(script), Status.INTERRUPTED)
        self.assertEqual(self.sessions(), {})

    def test_too_long(self):
        """A line that is longer than the server takes is not sent, and that is told."""
        self.reactor = CommandReactor(max_content=10)

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("12345678901" + ENTER)
            await it.until(lambda: "* not sent: a content of 11 bytes" in it.lines[-1])
            it.type("1234567890" + ENTER)
            await it.shown("alice: 1234567890")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_refused_line(self):
        """A line that the server refuses is shown with the reason."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello" + ENTER)
            await it.until(lambda: it.lines[-1].startswith("* refused: hello ("))
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script, room="attic"), Status.DONE)


class FirstAttemptTests(TerminalCase):
    async def wait(self, it):
        """Type nothing."""

    def test_nobody_there(self):
        """Where nobody listens at first, that is what it fails with."""
        self.reactor = CommandReactor(None)
        self.assertRaises(ConnectError, self.converse, self.wait)
        self.assertEqual(self.screen.getvalue(), "")

    def test_refused(self):
        """A refusal at first is what it fails with; nothing is tried again."""
        error = self.assertRaises(SessionRefused, self.converse, self.wait, name="server")
        self.assertEqual(error.code, "name-taken")
        self.assertEqual(self.screen.getvalue(), "")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bad_endpoint(self):
        """An endpoint string that is none is refused at once."""
        self.assertRaises(
            ConfigurationError, Terminal, self.reactor, "bogus", room=None, key=None, name=None
        )


class ReconnectTests(TerminalCase):
    async def lose(self, it):
        """Have the server stop, and put a new one in its place that is not reached yet."""
        await it.shown("* you are alice, in lobby")
        self.reactor.server.shut_down()
        await it.shown("* not connected; trying again in 2 s")
        self.reactor.server = ChatFactory(self.reactor)

    async def come_back(self, it):
        """Let the time pass until the next attempt."""
        self.reactor.advance(2)
        await it.until(lambda: it.lines.count("* you are alice, in lobby") == 2)

    def test_connects_again(self):
        """A connection that is lost is told, and made again after a while."""

        async def script(it):
            await self.lose(it)
            self.assertEqual(it.lines[1], "* the server is shutting down (shutting-down)")
            await self.come_back(it)
            it.type("hello" + ENTER)
            await it.shown("alice: hello")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_not_sent(self):
        """A line that cannot be sent stays to be typed on, and can be sent later."""

        async def script(it):
            await self.lose(it)
            it.type("too early" + ENTER)
            await it.shown("* not sent: there is no connection")
            await self.come_back(it)
            it.type("?" + ENTER)
            await it.shown("alice: too early?")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_not_received(self):
        """A line whose receipt did not come before the connection was lost is shown."""
        self.reactor = CommandReactor(Silent)

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello" + ENTER)
            await it.until(lambda: self.reactor.server.heard == ["hello"])
            self.reactor.server.shut_down()
            await it.shown("* not confirmed: hello (the connection was lost first)")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_leave_meanwhile(self):
        """One can leave while there is no connection."""

        async def script(it):
            await self.lose(it)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_still_taken(self):
        """A name that an old session still holds is tried again until it is free."""

        async def script(it):
            await self.lose(it)
            self.reactor.server.names.claim("alice", "")
            self.reactor.advance(2)
            await it.until(lambda: it.lines.count("* not connected; trying again in 2 s") == 2)
            self.reactor.server.names.release("alice")
            await self.come_back(it)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_key_is_refused(self):
        """A refusal that will not pass ends the conversation, with its reason and status."""

        async def script(it):
            await self.lose(it)
            self.reactor.server = ChatFactory(self.reactor, key=bytes(range(32)))
            self.reactor.advance(2)
            await it.shown("* the server requires a key: give its key file (--key-file)")

        self.assertEqual(self.converse(script), Status.REFUSED)

    def test_ended_for_good(self):
        """A session that the server ends for good is the end of the conversation."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            self.sessions()["alice"].end("kicked", "you were asked to leave")
            await it.shown("* you were asked to leave (kicked)")

        self.assertEqual(self.converse(script), Status.LOST)
