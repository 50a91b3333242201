"""The command `/away`, and its effects for others."""

from twisted.internet.defer import Deferred

from chatd import ChatFactory, RequestError
from chatd.cli.awaycommand import name_of
from chatd.client.results import PersonInfo
from tests.cli.talking import CommandsCase


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
