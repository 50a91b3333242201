"""Who is in the rooms, and whether the own name is away."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatd import RequestError, SessionEnded
from chatd.cli.awaytext import AwayText
from chatd.cli.display import TextDisplay
from chatd.cli.people import People
from chatd.cli.roomstates import RoomStates
from chatd.cli.window import Window
from chatd.client.results import Joined, PersonInfo


class Server:
    """A client of alice, with a server that gives one answer.

    Args:
        answer: A Deferred, which fires with the answer.
    """

    name = "alice"

    def __init__(self, answer):
        self._answer = answer
        self.asked: list[Any] = []

    def command(self, command, **fields):
        self.asked.append((command, fields))
        return self._answer

    def people(self, room):
        return self._answer


class PeopleTests(SynchronousTestCase):
    def setUp(self):
        self.states = RoomStates()
        self.away = AwayText(TextDisplay(lambda line: None))
        self.drawn: list[Any] = []
        window = Window(redraw=lambda: self.drawn.append(self.away.is_away))
        self.people = People(self.states, self.away, window)

    def join(self, answer, topic="", members=0):
        """Join the lobby with a server's answer about its people; return the room's state."""
        server: Any = Server(answer)
        joined = Joined(room="lobby", epoch="e", seq=0, topic=topic, members=members)
        self.people.room_joined(server, joined)
        self.assertEqual(server.asked, [("who", {"room": "lobby"})])
        return self.states.of("lobby")

    def test_joined(self):
        """A joined room has its topic at once, and its people when the server has answered."""
        answer: Deferred[Any] = Deferred()
        state = self.join(answer, topic="tea", members=3)
        self.assertEqual((state.topic, state.members, state.names), ("tea", 3, []))
        self.assertEqual(self.drawn, [])
        answer.callback({"members": 2, "names": ["alice", "bob"], "private": True})
        self.assertEqual((state.members, sorted(state.names)), (2, ["alice", "bob"]))
        self.assertIs(state.is_private, True)
        self.assertEqual(self.drawn, [False])

    def test_joined_again(self):
        """Joining a room again forgets what was known of it."""
        self.join(succeed({"members": 2, "names": ["alice", "bob"]}), topic="tea")
        state = self.join(Deferred())
        self.assertEqual((state.topic, state.members, state.names), ("", None, []))

    def test_away(self):
        """The list tells whether the own name is away, in any spelling."""
        self.join(succeed({"members": 1, "names": ["Alice"], "away": {"Alice": "lunch"}}))
        self.assertEqual(self.drawn, [True])
        self.join(succeed({"members": 2, "names": ["bob"], "away": {"bob": "lunch"}}))
        self.assertIs(self.away.is_away, True)
        self.join(succeed({"members": 1, "names": ["alice"]}))
        self.assertIs(self.away.is_away, False)

    def test_refused(self):
        """Without an answer, the people stay unknown, and nothing fails."""
        for error in (RequestError("not-allowed", "no"), SessionEnded("goodbye", "bye")):
            state = self.join(fail(error), members=3)
            self.assertEqual((state.members, state.names), (3, []))

    def test_failure(self):
        """The log has an error of the client itself."""
        self.join(fail(ZeroDivisionError()))
        (logged,) = self.flushLoggedErrors(ZeroDivisionError)
        self.assertTrue(logged)

    def test_list(self):
        """A list of people tells the same of the own name, and its caller gets it whole."""
        people = [PersonInfo(name="bob", away="tea"), PersonInfo(name="ALICE", away="lunch")]
        server: Any = Server(succeed(people))
        found = Deferred.fromCoroutine(self.people.of(server, "ops"))
        self.assertEqual(self.successResultOf(found), people)
        self.assertEqual(self.drawn, [True])

    def test_list_refused(self):
        """Its caller gets the server's refusal."""
        server: Any = Server(fail(RequestError("not-allowed", "no")))
        found = Deferred.fromCoroutine(self.people.of(server, "ops"))
        self.failureResultOf(found, RequestError)
        self.assertEqual(self.drawn, [])
