"""What the server sends, taken in and shown."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.browsing import Browsing
from chatd.cli.display import TextDisplay
from chatd.cli.ignored import Ignored
from chatd.cli.incoming import Incoming
from chatd.cli.introductions import Introductions
from chatd.cli.marks import Mark
from chatd.cli.places import Places
from chatd.cli.reading import Reading
from chatd.cli.roomstates import RoomStates
from chatd.cli.window import Window
from chatd.client.progress import Position, Progress
from chatd.client.results import Joined
from tests.cli.wiring import said


class Asked:
    """A client of alice whose server answers when the test says so."""

    name = "alice"

    def __init__(self):
        self.answer: Deferred[str] = Deferred()

    def topic(self, room):
        return self.answer


class IncomingCase(SynchronousTestCase):
    """Has alice in the rooms lobby and ops; she ignores mallory.

    Attributes:
        seen: The shown lines, and `taken` and `redrawn` for each call.
    """

    def setUp(self):
        self.seen: list[Any] = []
        self.progress = Progress()
        for room in ("lobby", "ops"):
            self.progress.joined(room, "e", 0)
        display = TextDisplay(self.seen.append)
        ignored = Ignored(["mallory"])
        window = Window(redraw=lambda: self.seen.append("redrawn"))
        self.states = RoomStates()
        self.states.joined("lobby")
        self.places = Places(lambda: [each.name for each in self.progress.rooms.values()])
        self.reading = Reading(display, self.places, ignored, window)
        browsing = Browsing(lambda: display.lines)
        self.introductions = Introductions(
            display, self.reading, browsing, self.states, lambda: False, ignored
        )
        self.incoming = Incoming(
            display,
            self.states,
            self.reading,
            self.introductions,
            ignored,
            window,
            progress=lambda: self.progress,
            taken=lambda event: self.seen.append("taken"),
        )

    def receive(self, *arguments, **fields):
        """Receive a message; return what was seen."""
        self.seen.clear()
        self.incoming.message(said(*arguments, **fields), "alice")
        return self.seen

    def unread(self):
        return [(each.place.title, each.messages, each.is_for_you) for each in self.places.unread]


class MessageTests(IncomingCase):
    def test_here(self):
        """A message in the current place is shown, and not counted; its writer is known."""
        self.assertEqual(self.receive("hello"), ["redrawn", "bob: hello"])
        self.assertEqual(self.unread(), [])
        self.assertEqual(self.states.of("lobby").names, ["bob"])

    def test_elsewhere(self):
        """A message in another place is counted too, unless the person wrote it."""
        self.receive("hello", room="ops")
        self.receive("alice: tea?", room="ops")
        self.receive("hello", room="ops", sender="Alice")
        self.receive("psst", room=None, to="alice")
        self.receive("psst", room=None, to="carol", sender="alice")
        self.assertEqual(self.unread(), [("ops", 2, True), ("@bob", 1, True)])
        titles = [place.title for place in self.places.all]
        self.assertEqual(titles, ["lobby", "ops", "@bob", "@carol"])

    def test_server(self):
        """A message from the server to this session alone has no place to be counted in."""
        self.assertEqual(self.receive("hello", sender="server", room=None), ["server: hello"])
        self.assertEqual(len(self.places.all), 2)

    def test_ignored(self):
        """A message of an ignored person only counts as shown, so it is not new the next time."""
        self.assertEqual(self.receive("hello", room="ops", sender="mallory", seq=5), [])
        self.assertEqual(self.unread(), [])
        self.assertEqual(self.reading.marks.last, {"ops": Mark("e", 5)})

    def test_epoch(self):
        """A message has the epoch of its room, or of the direct messages with its writer."""
        self.progress.direct["bob"] = Position("bob", "d")
        epochs: list[Any] = []
        self.patch(self.reading, "show", lambda message, me, epoch: epochs.append(epoch))
        self.receive("hello")
        self.receive("psst", room=None, to="alice")
        self.receive("psst", room=None, to="alice", sender="carol")
        self.assertEqual(epochs, ["e", "d", None])

    def test_unknown_epoch(self):
        """In a room whose epoch is unknown, no message is noted as the last."""
        self.progress.joined("ops", None, None)
        self.receive("hello", room="ops")
        self.receive("hello", room="attic")
        self.assertEqual(self.reading.marks.last, {})

    def test_introduced(self):
        """A message is counted at once, and shown when its room was introduced."""
        client: Any = Asked()
        self.introductions.introduce(client, Joined(room="ops", epoch="e", seq=0))
        self.assertEqual(self.receive("hello", room="ops"), ["redrawn"])
        self.assertEqual(self.unread(), [("ops", 1, False)])
        client.answer.callback("")
        self.assertEqual(self.seen, ["redrawn", "bob: hello"])


class EventTests(IncomingCase):
    def take(self, event, **fields):
        self.seen.clear()
        self.incoming.event({"event": event, **fields})
        return self.seen

    def test_shown(self):
        """An event changes the state of its room, and is shown and handed on in this order."""
        shown = self.take("joined", room="lobby", name="bob")
        self.assertEqual(shown, ["redrawn", "* bob joined", "taken"])
        self.assertEqual(self.states.of("lobby").names, ["bob"])

    def test_ignored(self):
        """An event of an ignored person is not shown."""
        self.assertEqual(self.take("joined", room="lobby", name="mallory"), ["redrawn", "taken"])

    def test_welcome(self):
        """A welcome is left to its taker."""
        fields = {"name": "alice", "room": "lobby", "rooms": []}
        self.assertEqual(self.take("welcome", **fields), ["redrawn", "taken"])

    def test_renamed(self):
        """A conversation goes on under the new name of the person."""
        self.receive("psst", room=None, to="alice")
        self.take("renamed", old_name="bob", name="rob")
        self.assertEqual(self.unread(), [("@rob", 1, True)])
