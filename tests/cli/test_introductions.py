"""What a person sees of the rooms after another start of the client."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd import ChatFactory, RequestError
from chatd.cli.attention import BELL
from chatd.cli.ignored import Ignored
from chatd.cli.marks import Mark
from tests.cli.talking import Talker
from tests.cli.wiring import CommandReactor


class Forgetful(ChatFactory):
    """A server that refuses `history`."""

    async def command_received(self, session, message):
        if message.header["command"] == "history":
            raise RequestError("internal-error", "not now")
        answered: Any = super().command_received(session, message)
        await answered


class RestartTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = CommandReactor()
        self.saved: dict[str, Mark] = {}
        self.bob = Talker(self.reactor, "bob", "lobby", "ops")

    def start(self, *rooms, **login):
        """Return alice at her next start, with what her last client saved."""
        login |= {"rooms_shown": dict(self.saved), "rooms_shown_changed": self.saved.update}
        ignored = login.pop("ignored", None)
        return Talker(self.reactor, "alice", *rooms, login=login, ignored=ignored)

    def leave_and_miss(self, *lines, rooms=("lobby",), room="lobby"):
        """Let alice see a message and leave, and let bob say lines that she misses."""
        self.bob.talk.say("seen", room=room)
        self.reactor.settle()
        self.start(*rooms).leave()
        for line in lines:
            self.bob.talk.say(line, room=room)
        self.reactor.settle()

    def unread(self, talker):
        """Return the places with unread messages, and their numbers."""
        return [
            (each.place.name, each.messages, each.is_for_you) for each in talker.talk.places.unread
        ]

    def test_new(self):
        """A rule stands before what came in a room since the last time, shown like live lines."""
        self.leave_and_miss("one", "two")
        alice = self.start("lobby")
        shown = ["| bob: seen", "--- new ---", "bob: one", "bob: two"]
        self.assertEqual(alice.lines[-4:], shown)
        self.assertEqual(self.unread(alice), [])

    def test_live(self):
        """What the last client has shown is not new, neither live messages nor earlier ones."""
        self.leave_and_miss()
        alice = self.start("lobby")
        self.bob.type("live")
        alice.leave()
        self.assertEqual(self.start("lobby").lines[-2:], ["| bob: seen", "| bob: live"])

    def test_nothing_before(self):
        """What came in a room that was empty the last time is new."""
        self.start("lobby").leave()
        self.bob.type("one")
        self.assertEqual(self.start("lobby").lines[-2:], ["--- new ---", "bob: one"])

    def test_first_time(self):
        """Nothing is marked in a room that the client does not know."""
        self.bob.type("one")
        self.assertEqual(self.start("lobby").lines[-1], "| bob: one")

    def test_another_epoch(self):
        """Nothing is marked if the order of the room began again."""
        self.leave_and_miss("one")
        self.saved["lobby"] = Mark("another", 1)
        alice = self.start("lobby")
        self.assertNotIn("--- new ---", alice.lines)
        alice.leave()
        self.assertNotEqual(self.saved["lobby"].epoch, "another")

    def test_unread(self):
        """In another room, the new messages are unread, and those for the person are marked."""
        self.leave_and_miss("one", "alice: two", rooms=("lobby", "ops"), room="ops")
        alice = self.start("lobby", "ops")
        self.assertEqual(self.unread(alice), [("ops", 2, True)])
        shown = alice.type("/goto ops")[1:]
        self.assertEqual(shown[:2], ["* earlier messages in ops:", "| bob: seen"])
        self.assertEqual(shown[2:], ["--- new ---", "[ops] bob: one", "[ops] bob: alice: two"])

    def test_last_room(self):
        """The new messages of the first room are unread if the person was last in another."""
        rooms = ("lobby", "ops")
        self.leave_and_miss("one", rooms=rooms)
        self.bob.talk.say("two", room="ops")
        self.reactor.settle()
        alice = self.start(*rooms, current="ops", rooms_are_remembered=True)
        self.assertEqual(self.unread(alice), [("lobby", 1, False)])

    def test_bell(self):
        """Many messages for the person ring the bell once."""
        self.leave_and_miss("alice: one", "alice: two")
        alice = self.start()
        alice.type("/bell on")
        alice.type("/leave lobby")
        for line in ("alice: three", "alice: four"):
            self.bob.type(line)
        shown = alice.type("/join lobby")
        self.assertEqual("".join(shown).count(BELL), 1)
        self.assertEqual(
            shown[-3:], ["--- new ---", f"{BELL}bob: alice: three", "bob: alice: four"]
        )

    def test_many(self):
        """The client shows the last 20 of many, and the rule and the count tell how many came."""
        rooms = ("lobby", "ops")
        self.leave_and_miss(*map(str, range(30)), rooms=rooms, room="ops")
        alice = self.start(*rooms)
        rule = alice.lines.index("--- new: the last 20 of 30 ---")
        self.assertEqual(alice.lines[rule + 1 :], [f"[ops] bob: {each}" for each in range(10, 30)])
        self.assertEqual(self.unread(alice), [("ops", 30, False)])
        self.assertEqual(alice.type("/goto ops")[1], "--- new: the last 20 of 30 ---")

    def test_own(self):
        """Own messages from another client are not new, and alone they get no rule."""
        self.leave_and_miss()
        other = Talker(self.reactor, "alice")
        other.type("mine")
        other.leave()
        alice = self.start("lobby")
        self.assertEqual(alice.lines[-2:], ["| bob: seen", "alice: mine"])
        self.assertEqual(self.unread(alice), [])

    def test_ignored(self):
        """The messages of ignored people are not counted, neither now nor the next time."""
        rooms = ("lobby", "ops")
        self.leave_and_miss("one", rooms=rooms, room="ops")
        for _ in range(2):
            alice = self.start(*rooms, ignored=Ignored(["bob"]))
            self.assertEqual(self.unread(alice), [])
            self.assertNotIn("--- new ---", alice.lines)
            self.bob.talk.say("two", room="ops")
            self.reactor.settle()
            alice.leave()
        self.assertNotIn("--- new ---", self.start(*rooms).lines)

    def test_refused(self):
        """If the server refuses to show them, they are new the next time."""
        self.reactor = CommandReactor(Forgetful)
        bob = Talker(self.reactor, "bob")
        bob.type("one")
        epoch = bob.client.factory.progress.rooms["lobby"].epoch
        self.saved["lobby"] = Mark(epoch, 0)
        self.start("lobby").leave()
        self.assertEqual(self.saved, {"lobby": Mark(epoch, 0)})
