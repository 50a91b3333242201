"""Where typed lines go: the moves of a person, and what the sessions do."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd import RequestError, SessionEnded
from chatd.cli.display import TextDisplay
from chatd.cli.ignored import Ignored
from chatd.cli.login import Login
from chatd.cli.notdone import NotDone
from chatd.cli.places import Place, Places
from chatd.cli.reading import Reading
from chatd.cli.whereabouts import Whereabouts
from chatd.cli.window import Window
from chatd.client.progress import Progress
from tests.cli.wiring import said


class WhereaboutsCase(SynchronousTestCase):
    """Has a person with a display, but without a connection.

    Attributes:
        lines: The shown lines.
        held: Why the typed line was kept.
        entered: The places that became the current one.
        answer: What the server answers to a join; None without a connection.
    """

    def begin(self, *rooms, current=None, **login):
        """Begin in some rooms, after a last time in `current`."""
        self.lines: list[Any] = []
        self.held: list[Any] = []
        self.answer: Deferred[Any] | None = None
        self.progress = Progress(rooms)
        window = Window(hold=self.held.append)
        display = TextDisplay(self.lines.append)
        self.entered: list[Any] = []
        self.places = Places(lambda: self.whereabouts.rooms, self.entered.append)
        self.reading = Reading(display, self.places, Ignored(), window)
        self.whereabouts = Whereabouts(
            self.places,
            self.reading,
            self.progress,
            Login(current=current, **login),
            display,
            window,
            client=self.client,
            me=lambda: "alice",
        )
        self.whereabouts.begin(next(iter(rooms), None))

    def client(self):
        if self.answer is None:
            raise NotDone("not connected")
        return self

    def join(self, room):
        self.assertEqual(room, "attic")
        return self.answer

    def enter(self, room):
        return Deferred.fromCoroutine(self.whereabouts.enter(room))


class MoveTests(WhereaboutsCase):
    def setUp(self):
        self.begin("lobby", "ops")

    def test_place(self):
        """Lines go to a room or to a person; what needs a room says so to a person's companion."""
        self.assertEqual((self.whereabouts.current, self.whereabouts.companion), ("lobby", None))
        self.assertEqual(self.whereabouts.need_room(), "lobby")
        self.whereabouts.go_to(self.places.open("bob"))
        self.assertEqual(self.lines, ["* your lines go to @bob now"])
        self.assertEqual((self.whereabouts.current, self.whereabouts.companion), (None, "bob"))
        with self.assertRaisesRegex(NotDone, "your lines go to @bob"):
            self.whereabouts.need_room()

    def test_nowhere(self):
        """Without a room, lines go nowhere, and moving on shows nothing."""
        self.progress.rooms.clear()
        self.whereabouts.move_on()
        with self.assertRaisesRegex(NotDone, "you are in no room"):
            self.whereabouts.need_room()
        self.assertEqual(self.whereabouts.room_to_tell, "(no room)")
        self.whereabouts.follow()
        self.assertEqual((self.lines, self.held), ([], []))

    def test_move_on(self):
        """After leaving a place, the person comes to the next, and sees what came there."""
        self.places.enter(Place("ops"))
        self.reading.show(said("hello"), "alice", "e")
        self.lines.clear()
        self.progress.left("ops")
        self.whereabouts.move_on()
        self.assertEqual(self.lines, ["--- new ---", "bob: hello"])

    def test_names(self):
        """Lines name their rooms if there are several, and the prompt those beside the first."""
        self.assertTrue(self.whereabouts.needs_room_names)
        self.assertEqual(self.whereabouts.room_to_tell, "lobby")
        self.progress.left("ops")
        self.assertFalse(self.whereabouts.needs_room_names)
        self.assertIsNone(self.whereabouts.room_to_tell)


class EnterTests(WhereaboutsCase):
    def setUp(self):
        self.begin("lobby")

    def test_known(self):
        """The person enters a room of theirs without the server, in its own spelling."""
        self.assertIsNone(self.successResultOf(self.enter("LOBBY")))
        self.assertEqual(self.lines, ["* your lines go to lobby now"])

    def test_at_once(self):
        """Lines go to a room from the request on, and it counts once when it is joined."""
        self.answer = Deferred()
        entering = self.enter("attic")
        self.assertEqual(self.whereabouts.rooms, ["lobby", "attic"])
        self.assertEqual(self.whereabouts.current, "attic")
        self.progress.joined("Attic", "e", 0)
        self.assertEqual(self.whereabouts.rooms, ["lobby", "Attic"])
        self.answer.callback("joined")
        self.assertEqual(self.successResultOf(entering), "joined")
        self.whereabouts.follow()
        self.assertEqual((self.lines, self.held), ([], []))

    def test_refused(self):
        """If the server refuses, lines go where they went, and the next line is kept."""
        for error in (RequestError("banned", "no"), SessionEnded("goodbye", "bye")):
            self.answer = Deferred()
            self.held.clear()
            entering = self.enter("attic")
            self.answer.errback(error)
            self.failureResultOf(entering, type(error))
            self.assertEqual(
                (self.whereabouts.current, self.held), ("lobby", ["you are not in attic"])
            )
            self.assertEqual(self.whereabouts.rooms, ["lobby"])
            self.assertEqual(self.entered[-2:], [Place("attic"), Place("lobby")])

    def test_refused_elsewhere(self):
        """A person who is elsewhere already when the server refuses stays there."""
        self.answer = Deferred()
        entering = self.enter("attic")
        self.whereabouts.go_to(self.places.open("bob"))
        self.answer.errback(RequestError("banned", "no"))
        self.failureResultOf(entering, RequestError)
        self.assertEqual((self.whereabouts.companion, self.held), ("bob", []))

    def test_no_connection(self):
        """Without a connection, nothing changes."""
        self.failureResultOf(self.enter("attic"), NotDone)
        self.assertEqual((self.whereabouts.rooms, self.held), (["lobby"], []))


class SessionTests(WhereaboutsCase):
    def test_last_time(self):
        """The first welcome brings the person to the room of the last time, without a word."""
        self.begin("lobby", "ops", current="OPS")
        self.assertEqual(self.whereabouts.current, "ops")
        self.whereabouts.go_back()
        self.assertEqual((self.whereabouts.current, self.lines, self.held), ("ops", [], []))

    def test_last_time_late(self):
        """So does the end of all joins, if that room was not in the welcome."""
        self.begin("lobby", current="ops")
        self.progress.joined("ops", "e", 0)
        self.whereabouts.go_back()
        self.assertEqual((self.whereabouts.current, self.lines, self.held), ("ops", [], []))

    def test_shut_out(self):
        """The person is told where lines go if the server refused the room of the last time."""
        self.begin("lobby", current="ops", rooms=("lobby", "ops"))
        self.whereabouts.go_back()
        self.assertEqual(self.lines, ["* your lines go to lobby now"])
        self.assertEqual(self.held, ["you are not in ops"])

    def test_another_choice(self):
        """A person who asked for other rooms this time is told nothing."""
        self.begin("lobby", current="ops", rooms=("lobby",))
        self.whereabouts.go_back()
        self.assertEqual((self.whereabouts.current, self.lines, self.held), ("lobby", [], []))

    def test_follow(self):
        """A person who is no longer in a place is told, once, and the typed line is kept."""
        for is_removed, were in ((False, "are no longer in"), (True, "were removed from")):
            self.begin("lobby", "ops")
            self.whereabouts.go_back()
            self.progress.left("lobby")
            for _ in range(2):
                self.whereabouts.follow(is_removed=is_removed)
                self.assertEqual(self.lines, ["* your lines go to ops now"])
                self.assertEqual(self.held, [f"you {were} lobby"])

    def test_still_there(self):
        """A person who is no longer in another place is told nothing."""
        self.begin("lobby", "ops")
        self.whereabouts.go_back()
        self.progress.left("ops")
        self.whereabouts.follow()
        self.assertEqual((self.lines, self.held), ([], []))
