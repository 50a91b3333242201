"""The command `/away`, and its effects for others."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd import ChatFactory, RequestError
from chatd.cli.awaycommand import name_of
from chatd.client.results import PersonInfo
from chatd.server.accounts import Accounts
from tests.cli.talking import CommandsCase, Talker
from tests.cli.wiring import CommandReactor


class OldFactory(ChatFactory):
    """A server that does not know `away`."""

    def command_received(self, session, command):
        if command.header["command"] == "away":
            raise RequestError("unknown-command", "there is no command away")
        return super().command_received(session, command)


class AwayTests(CommandsCase):
    def test_told_once(self):
        """A person who sends direct messages to an away person sees the text once."""
        self.assertEqual(self.bob.type("/away at  lunch"), ["* you are away: at  lunch"])
        self.assertEqual(
            self.alice.type("/msg bob hello"),
            ["you → bob: hello", "* bob is away: at  lunch"],
        )
        self.assertEqual(self.alice.type("/msg bob again"), ["you → bob: again"])

    def test_back(self):
        """Without a text, the person is back."""
        self.bob.type("/away lunch")
        self.assertEqual(self.bob.type("/away"), ["* you are back"])
        self.assertEqual(self.alice.type("/msg bob hello"), ["you → bob: hello"])

    def test_who(self):
        """The list of the people in a room has the text."""
        self.bob.type("/away lunch")
        self.assertEqual(self.alice.type("/who"), ["* 2 in lobby: alice, bob (away: lunch)"])

    def test_long_text(self):
        """The client reports an invalid text without the server; a list shows a part of it."""
        for text in ("x" * 257, "two\nlines"):
            self.assertIn("one line of up to 256", self.alice.mistype(f"/away {text}"))
        self.assertEqual(name_of(PersonInfo(name="bob", away="x" * 41)), f"bob (away: {'x' * 39}…)")

    def test_no_connection(self):
        """A person cannot be away without a connection."""
        self.reactor.server.shut_down()
        self.reactor.settle()
        self.assertIn("not connected", self.alice.mistype("/away lunch"))

    def reconnect(self, *server_class):
        """Restart the server, and wait until both are connected."""
        self.reactor.restart(*server_class)
        talks = (self.alice.talk, self.bob.talk)
        self.reactor.pass_until(lambda: all(talk.is_connected for talk in talks))
        self.reactor.settle()

    def test_reconnect(self):
        """After a lost connection, the person is marked again, unless they are back."""
        self.bob.type("/away lunch")
        self.reconnect()
        self.assertIn("bob (away: lunch)", self.alice.type("/who")[0])
        self.bob.type("/away")
        self.reconnect()
        self.assertNotIn("away", self.alice.type("/who")[0])

    def test_reconnect_to_an_old_server(self):
        """If a server no longer knows the command, the client says so, once."""
        self.bob.type("/away lunch")
        self.bob.lines.clear()
        for _ in range(2):
            self.reconnect(OldFactory)
        told = [line for line in self.bob.lines if "away" in line]
        self.assertEqual(told, ["* you are no longer away: there is no command away"])

    def test_lost_again(self):
        """If the next connection is lost at once, the client marks the person on the one after."""
        self.bob.type("/away lunch")
        client = self.bob.client
        client.transport.abortConnection()
        self.reactor.settle()
        again = Deferred.fromCoroutine(self.bob.talk.away.use_again(client))
        self.assertIsNone(self.successResultOf(again))
        self.reactor.pass_until(lambda: self.bob.talk.is_connected)
        self.reactor.settle()
        self.assertIn("bob (away: lunch)", self.alice.type("/who")[0])

    def test_old_server(self):
        """If a server does not know the command, the client says so in one line."""
        self.reconnect(OldFactory)
        self.assertEqual(self.bob.type("/away lunch"), ["* /away: there is no command away"])


class SessionsTests(SynchronousTestCase):
    """Two sessions of one name."""

    def setUp(self):
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"open sesame")
        self.reactor = CommandReactor(accounts=Accounts(Clock(), [checker]))
        self.first = Talker(self.reactor, "alice", password="open sesame")

    def second(self):
        return Talker(self.reactor, "alice", password="open sesame")

    def away(self, *talkers):
        return [talker.talk.away.is_away for talker in talkers]

    def test_welcome(self):
        """A session that begins knows that another marked the name as away."""
        self.first.type("/away lunch")
        self.assertEqual(self.away(self.first, self.second()), [True, True])

    def test_back_elsewhere(self):
        """`/away` tells whether it ended anything, also if another session ended it before."""
        self.first.type("/away lunch")
        second = self.second()
        self.assertEqual(self.first.type("/away"), ["* you are back"])
        self.assertEqual(second.type("/away"), ["* you are not away"])
        self.assertEqual(self.away(self.first, second), [False, False])
        self.first.type("/away tea")
        self.assertEqual(second.type("/away"), ["* you are back"])

    def test_lists(self):
        """A list of the people in a room tells a session whether the name is away."""
        second = self.second()
        for ask in ("/who", "/whois alice", "/whois nobody"):
            self.first.type("/away lunch")
            second.type(ask)
            self.assertEqual(self.away(second), [True])
            self.first.type("/away")
            second.type(ask)
            self.assertEqual(self.away(second), [False])

    def test_reconnect(self):
        """A session that knows that another ended its text does not set it again."""
        self.first.type("/away lunch")
        second = self.second()
        second.type("/away")
        for ask, is_away in (("/topic", True), ("/who", False)):
            self.first.type(ask)
            self.first.client.transport.abortConnection()
            self.reactor.settle()
            self.reactor.pass_until(lambda: self.first.talk.is_connected)
            self.reactor.settle()
            self.assertEqual(self.away(self.first), [is_away])
            self.assertEqual("away" in second.type("/who")[0], is_away)
            second.type("/away")

    def test_no_room(self):
        """Without a room, the client cannot ask, and tells what it knows."""
        self.first.type("/away lunch")
        second = self.second()
        second.type("/leave")
        self.first.type("/away")
        self.assertEqual(second.type("/away"), ["* you are back"])

    def test_meanwhile(self):
        """What the server told before its answer to `/away` changes nothing."""
        second = self.second()
        using = Deferred.fromCoroutine(self.first.talk.away.use(self.first.client, "lunch"))
        self.first.talk.away.learn("")
        self.reactor.settle()
        self.successResultOf(using)
        self.assertEqual(self.away(self.first, second), [True, False])
        self.assertTrue(self.first.talk.away.is_marked)
