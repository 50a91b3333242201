"""The terminal's commands for private rooms."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.policy import Policy
from chatd.server.accounts import Accounts
from tests.cli.talking import CommandsCase, Talker
from tests.cli.wiring import CommandReactor

SECRET = "open sesame"


class PrivateRoomTests(SynchronousTestCase):
    """Alice, an operator, and bob, on a server with accounts."""

    def setUp(self):
        secret = SECRET.encode()
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=secret, bob=secret)
        accounts = Accounts(Clock(), [checker])
        self.reactor = CommandReactor(policy=Policy(operators=("alice",)), accounts=accounts)
        self.alice = Talker(self.reactor, "alice", password=SECRET)
        self.bob = Talker(self.reactor, "bob", password=SECRET)
        self.alice.lines.clear()
        self.bob.lines.clear()

    def test_current_room(self):
        """Without a room, the commands are about the current room."""
        made_private = "* alice made lobby private: only invited people may enter it now"
        self.assertEqual(
            self.alice.type("/private LOBBY"),
            [made_private, "* LOBBY is private now; invited names: 2, removed sessions: 0"],
        )
        self.assertIs(self.bob.talk.states.of("lobby").is_private, True)
        self.assertEqual(
            self.alice.type("/uninvite bob"),
            [
                "* bob was removed by alice",
                "* bob is no longer invited to lobby; removed sessions: 1",
            ],
        )
        self.assertEqual(
            self.bob.lines,
            [made_private, "* you were removed from lobby: only invited people may be there"],
        )
        self.assertEqual(self.bob.mistype("hello"), "you are in no room; enter one with /join ROOM")
        self.assertEqual(
            self.bob.type("/join lobby"),
            ["* /join: lobby is private: only invited people may enter it"],
        )
        self.assertEqual(self.alice.type("/invited"), ["* 1 invited to lobby: alice"])
        self.assertEqual(self.alice.type("/invite bob"), ["* bob is invited to lobby"])
        self.assertEqual(self.bob.type("/join lobby")[-1], "* you are in lobby, 2 here")
        self.assertIs(self.bob.talk.states.of("lobby").is_private, True)
        self.alice.lines.clear()
        self.bob.lines.clear()
        made_public = "* alice made lobby public: everybody may enter and read earlier messages now"
        self.assertEqual(
            self.alice.type("/public"),
            [made_public, "* everybody may enter lobby and read its earlier messages now"],
        )
        self.assertEqual(self.bob.lines, [made_public])

    def test_common_room(self):
        """Nobody makes the room private in which everybody begins without naming it."""
        self.assertEqual(
            self.alice.mistype("/private"),
            "everybody begins in lobby; to make it private, type /private lobby",
        )
        self.alice.type("/join attic")
        self.assertIn("* attic is private now", self.alice.type("/private")[-1])

    def test_rooms_of_the_server(self):
        """These rooms are the server's choice; other rooms that the person asked for are not."""
        self.reactor.restart(policy=Policy(operators=("alice",), rooms=("hall",)), accounts=None)
        alice = Talker(self.reactor, "Alice2")
        self.assertIn("everybody begins in hall", alice.mistype("/private"))
        asked = Talker(self.reactor, "Alice3", "hall")
        self.assertEqual(asked.type("/private"), ["* /private: only operators may do that"])

    def test_other_room(self):
        """The commands take a room, and a list marks the private rooms."""
        self.alice.type("/private Attic")
        self.assertEqual(self.alice.type("/invited attic"), ["* nobody is invited to attic"])
        self.alice.type("/invite bob attic")
        self.assertEqual(
            self.bob.type("/rooms"),
            ["* rooms:", "*   Attic, 0 there, private", "*   lobby, 2 there"],
        )
        self.assertEqual(self.bob.talk.known.rooms, ["Attic", "lobby"])
        self.assertEqual(self.alice.talk.known.invited("ATTIC"), ["bob"])
        self.alice.type("/uninvite bob attic")
        self.assertEqual(self.alice.talk.known.invited("ATTIC"), [])
        self.assertEqual(self.bob.type("/rooms"), ["* rooms:", "*   lobby, 2 there"])

    def test_no_such_account(self):
        """An invitation of a name without an account says so, if the server knows."""
        self.alice.type("/private lobby")
        self.assertEqual(self.alice.type("/invite eve"), ["* eve is invited to lobby"])
        accounts = self.reactor.server.engine.admission._accounts
        for known, words in ((True, ""), (False, ", but there is no account of that name")):
            self.patch(accounts, "has_account", lambda _, known=known: known)
            shown = self.alice.type(f"/invite e{known}")
            self.assertEqual(shown, [f"* e{known} is invited to lobby{words}"])

    def test_remembered(self):
        """A room of the last time that is private now is left out, named, and forgotten."""
        self.alice.type("/private plans")
        rooms: list[list[str]] = []
        remembered = {"rooms_are_remembered": True, "rooms_changed": rooms.append}
        self.bob.leave()
        bob = Talker(self.reactor, "bob", "plans", "ops", password=SECRET, login=remembered)
        self.assertEqual(
            bob.lines,
            [
                "* you are bob",
                "* you are in ops, 1 here",
                "* plans is private: only invited people may enter it (not-invited)",
            ],
        )
        self.assertEqual((bob.talk.whereabouts.rooms, rooms[-1]), (["ops"], ["ops"]))
        self.assertEqual(bob.type("hello"), ["bob: hello"])

    def test_removed_from_a_remembered_room(self):
        """A room from which the person is removed is forgotten at once."""
        rooms: list[list[str]] = []
        self.bob.leave()
        bob = Talker(
            self.reactor,
            "bob",
            "ops",
            "lobby",
            password=SECRET,
            login={"rooms_changed": rooms.append},
        )
        self.alice.type("/private ops")
        self.alice.type("/uninvite bob ops")
        self.assertEqual((bob.talk.whereabouts.rooms, rooms[-1]), (["lobby"], ["lobby"]))

    def test_removed_from_the_current_room(self):
        """A person who is removed from the current room is told where typed lines go now."""
        held: list[str] = []
        self.patch(self.bob.talk.window, "hold", held.append)
        self.bob.type("/join ops")
        self.bob.lines.clear()
        self.alice.type("/private ops")
        self.alice.type("/uninvite bob ops")
        self.assertEqual(
            self.bob.lines[1:],
            [
                "* you were removed from ops: only invited people may be there",
                "* your lines go to lobby now",
            ],
        )
        self.assertEqual(held, ["you were removed from ops"])

    def test_removed_from_another_room(self):
        """After leaving a room, or if it is not the current room, there is nothing to tell."""
        self.bob.type("/join ops")
        self.bob.type("/join plans")
        self.bob.type("/leave plans")
        self.bob.type("/goto lobby")
        self.bob.lines.clear()
        self.alice.type("/private ops")
        self.alice.type("/uninvite bob ops")
        self.assertNotIn("your lines go", "".join(self.bob.lines))
        self.bob.type("/leave")
        self.bob.lines.clear()
        self.alice.type("/msg bob hello")
        self.alice.type("/kick bob")
        self.reactor.advance(2)
        self.reactor.settle()
        self.assertNotIn("your lines go", "".join(self.bob.lines))

    def test_no_way_back_after_a_reconnect(self):
        """A client that cannot enter the current room again tells where typed lines go now."""
        held: list[str] = []
        self.patch(self.bob.talk.window, "hold", held.append)
        self.bob.type("/join ops")
        self.bob.client.transport.abortConnection()
        self.reactor.settle()
        self.alice.type("/private ops")
        self.alice.type("/uninvite bob ops")
        self.bob.lines.clear()
        self.reactor.advance(2)
        self.reactor.settle()
        self.assertEqual(self.bob.lines.count("* your lines go to lobby now"), 1)
        self.assertEqual(held, ["you are no longer in ops"])

    def test_no_way_back_after_a_restart(self):
        """So does a client that cannot enter the current room of the last time."""
        self.alice.type("/private plans")
        remembered = {"rooms_are_remembered": True, "current": "plans"}
        self.bob.leave()
        bob = Talker(self.reactor, "bob", "plans", "ops", password=SECRET, login=remembered)
        self.assertEqual(bob.lines[-1], "* your lines go to ops now")

    def test_refused_join(self):
        """A line that was begun for a room is held back if that room refuses the person."""
        held: list[str] = []
        self.patch(self.bob.talk.window, "hold", held.append)
        self.alice.type("/private plans")
        self.bob.type("/join plans")
        self.assertEqual(held, ["you are not in plans"])

    def test_mistakes(self):
        """The client does not send a bad name or room, and shows a refusal as a note."""
        self.assertIn("a room's name has", self.alice.mistype(f"/private {'x' * 65}"))
        self.assertIn("a name has", self.alice.mistype(f"/invite {'x' * 33}"))
        self.assertEqual(
            self.bob.type("/private attic"), ["* /private: only operators may do that"]
        )


class NoAccountsTests(CommandsCase):
    def test_refused(self):
        """Without accounts, the note says why."""
        self.assertEqual(
            self.alice.type("/private lobby"),
            ["* /private: a server without accounts has no private rooms"],
        )
