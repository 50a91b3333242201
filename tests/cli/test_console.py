"""The client that shows everything it receives."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd import MessageType, SessionRefused
from chatd.cli.console import ConsoleFactory
from chatd.cli.login import Login
from chatd.client.endpoints import client_endpoint
from tests.cli.wiring import ENDPOINT, CommandReactor, Recorder


class ConsoleTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = CommandReactor()
        self.ends = []
        self.joined = []
        self.rooms = []

    def connect(self, name="alice", key=None, rooms=()):
        """Connect a client; return it and its display."""
        display = Recorder()
        factory = ConsoleFactory(
            self.reactor,
            display,
            Login(key=key, name=name, rooms=rooms, rooms_changed=self.rooms.append),
            room_joined=lambda client, joined: self.joined.append(joined.room),
            client_ended=lambda client, end: self.ends.append((client, end)),
        )
        connected = client_endpoint(self.reactor, ENDPOINT).connect(factory)
        self.reactor.settle()
        return self.successResultOf(connected), display.shown

    def test_welcome(self):
        """The client first shows the welcome, with the name and the rooms from the server."""
        client, shown = self.connect()
        welcome = {
            "event": "welcome",
            "session_id": client.session_id,
            "name": "alice",
            "room": "lobby",
        }
        (told,) = shown
        ((room,),) = (told.pop("rooms"),)
        self.assertEqual(told, welcome)
        self.assertEqual((room["room"], room["seq"]), ("lobby", 0))

    def test_rooms(self):
        """The client is in the requested rooms, and the welcome lists them."""
        _, shown = self.connect(rooms=("ops", "attic"))
        self.assertEqual(shown[0]["room"], "ops")
        self.assertEqual([room["room"] for room in shown[0]["rooms"]], ["ops", "attic"])
        self.assertEqual(self.joined, ["ops", "attic"])

    def test_rooms_changed(self):
        """The login gets all rooms after each join and each leave."""
        client, _ = self.connect(rooms=("ops",))
        for command, room, rooms in (
            (client.join, "Attic", ["ops", "Attic"]),
            (client.leave, "OPS", ["Attic"]),
            (client.leave, "attic", []),
        ):
            done = command(room)
            self.reactor.settle()
            self.successResultOf(done)
            self.assertEqual(self.rooms[-1], rooms)

    def test_messages(self):
        """The client shows its messages like those of others, in the room's order."""
        alice, shown = self.connect("alice")
        bob, _ = self.connect("bob")
        del shown[:]
        receipts = [alice.send("one"), bob.send("two"), alice.send("three")]
        self.reactor.settle()
        for receipt in receipts:
            self.successResultOf(receipt)
        self.assertCountEqual(shown, [("alice", "one"), ("alice", "three"), ("bob", "two")])
        self.assertLess(shown.index(("alice", "one")), shown.index(("alice", "three")))

    def test_messages_are_not_kept(self):
        """Shown messages are not also kept for an iteration."""
        alice, _ = self.connect("alice")
        bob, _ = self.connect("bob")
        bob.send("hello")
        self.reactor.settle()
        self.assertNoResult(Deferred.fromCoroutine(alice.__anext__()))

    def test_events(self):
        """The client shows events."""
        _, shown = self.connect("alice")
        del shown[:]
        bob, _ = self.connect("bob")
        bob.disconnect()
        self.reactor.settle()
        self.assertEqual(
            shown,
            [
                {"event": "joined", "room": "lobby", "name": "bob"},
                {"event": "left", "room": "lobby", "name": "bob"},
            ],
        )

    def test_error(self):
        """The client shows an error that answers no request."""
        client, shown = self.connect()
        del shown[:]
        client.connection.send(MessageType.CHUNK, {"id": "c1"})
        client.flush()
        self.reactor.settle()
        (error,) = shown
        self.assertEqual(error["event"], "error")
        self.assertEqual(error["code"], "unknown-type")
        self.assertEqual(error["ref"], "c1")
        self.assertIn("7", error["message"])

    def test_lost(self):
        """The client shows the reason of a session's end, and reports it to the factory's owner."""
        client, shown = self.connect()
        self.reactor.server.shut_down()
        self.reactor.settle()
        self.assertEqual(
            shown[-1],
            {
                "event": "disconnected",
                "code": "shutting-down",
                "reason": "the server is shutting down",
                "retry": True,
            },
        )
        ((ended, end_reason),) = self.ends
        self.assertIs(ended, client)
        self.assertEqual(end_reason.code, "shutting-down")

    def test_goodbye(self):
        """The client reports a requested end, but does not show it."""
        client, shown = self.connect()
        del shown[:]
        client.disconnect()
        self.reactor.settle()
        self.assertEqual(shown, [])
        self.assertEqual([end.code for _, end in self.ends], ["goodbye"])

    def test_refused(self):
        """The client reports a refused session, but does not show it: its waiter does."""
        self.connect("alice")
        _, shown = self.connect("alice")
        self.assertEqual(shown, [])
        ((_, end_reason),) = self.ends
        self.assertIsInstance(end_reason, SessionRefused)

    def test_nobody_to_tell(self):
        """The callbacks of the factory are optional."""
        display = Recorder()
        factory = ConsoleFactory(self.reactor, display, Login())
        client_endpoint(self.reactor, ENDPOINT).connect(factory)
        self.reactor.settle()
        self.reactor.server.shut_down()
        self.reactor.settle()
        self.assertEqual(display.shown[-1]["event"], "disconnected")
