"""Tests of private rooms: the operators' commands, and their effects on members."""

from typing import ClassVar

from chatd.chat import presence
from chatd.errors import StoreError
from chatd.wire.messages import MessageType
from tests.chat.cases import ChatCase, PrivateCase
from tests.chat.wiring import codes, is_result, texts


class CommandTests(PrivateCase):
    is_over_redis = True

    def test_only_operators(self):
        """The server refuses the commands from other members, for any room."""
        for room in ("den", "nowhere", "no room"):
            for person in (self.ann, self.guest):
                for command in ("private", "public", "invited"):
                    self.assert_refused("not-allowed", person, command, room=room)
                for command in ("invite", "uninvite"):
                    self.assert_refused("not-allowed", person, command, room=room, name="bob")
        self.assertEqual(self.chat.notes, [])

    def test_private(self):
        """Accounts in the room are invited and stay; guests are removed, and know it."""
        result = self.ask(self.op, "private", room="DEN")
        self.assertEqual(result, {"room": "Den", "invited": 2, "removed": 1})
        self.assertEqual(self.hear(self.guest), [presence.removed("Den")])
        told = [
            presence.left("Den", "guest-1", by="Op"),
            presence.room_changed("Den", "Op", private=True),
        ]
        for person in (self.op, self.ann):
            self.assertEqual(self.hear(person), told)
        self.assertEqual(self.guest.rooms, {})
        (note,) = self.chat.notes
        self.assertEqual(note, "Op made Den private (invited names: 2, removed sessions: 1)")

    def test_private_left(self):
        """A room that everybody has left keeps the spelling that its messages were sent to."""
        self.ask(self.ann, "join", room="Attic")
        self.chat.say(self.ann, "before", room="attic")
        self.ask(self.ann, "leave", room="attic")
        self.assertEqual(self.ask(self.op, "private", room="ATTIC")["room"], "Attic")
        self.assertEqual(self.ask(self.op, "invited", room="attic")["room"], "Attic")
        self.assertEqual(self.ask(self.op, "join", room="aTTic")["room"], "Attic")

    def test_private_empty(self):
        """A room without members can be private; its name is the operator's spelling."""
        result = self.ask(self.op, "private", room="Attic")
        self.assertEqual(result, {"room": "Attic", "invited": 0, "removed": 0})
        self.assert_refused("not-invited", self.ann, "join", room="ATTIC")
        self.assertEqual(self.ask(self.op, "join", room="attic")["members"], 1)
        self.assert_refused("bad-room", self.op, "private", room="two words")

    def test_public(self):
        """Everybody may enter a public room."""
        self.close_den()
        self.assertEqual(self.ask(self.op, "public", room="den"), {"room": "Den"})
        for person in (self.op, self.ann):
            self.assertEqual(self.hear(person), [presence.room_changed("Den", "Op", private=False)])
        self.assertEqual(self.ask(self.bob, "join", room="den")["members"], 3)
        self.assertEqual(self.chat.notes[-1], "Op made Den public")
        self.assert_refused("bad-request", self.op, "public", room="den")

    def test_invite(self):
        """An invited name gets an event, may enter, and reads the history."""
        self.chat.say(self.ann, "before", room="den")
        self.close_den()
        result = self.ask(self.op, "invite", room="den", name="BOB")
        self.assertEqual(result, {"room": "Den", "name": "BOB"})
        self.assertEqual(self.hear(self.bob), [presence.invited("Den", "Op")])
        self.assertEqual(self.ask(self.bob, "join", room="den")["members"], 3)
        self.ask(self.bob, "history", room="den")
        self.assertEqual(texts(self.hear(self.bob)), ["before"])
        self.assertEqual(self.chat.notes[-1], "Op invited BOB to Den")

    def test_uninvite(self):
        """The server removes all sessions of an uninvited name; the others see one name leave."""
        twin = self.chat.arrive("Ann", rooms=["den"], account=True)
        self.close_den()
        twin.take()
        result = self.ask(self.op, "uninvite", room="den", name="ann")
        self.assertEqual(result, {"room": "Den", "name": "ann", "removed": 2})
        for person in (self.ann, twin):
            self.assertEqual(self.hear(person), [presence.removed("Den")])
        self.assertEqual(self.hear(self.op), [presence.left("Den", "Ann", by="Op")])
        self.assertEqual(self.chat.notes[-1], "Op uninvited ann from Den (removed sessions: 2)")
        self.assert_refused("bad-request", self.op, "uninvite", room="den", name="ann")

    def test_uninvited_operator(self):
        """An operator without an invitation stays."""
        self.close_den()
        result = self.ask(self.op, "uninvite", room="den", name="op")
        self.assertEqual(result["removed"], 0)
        self.assertEqual(self.hear(self.op), [])

    def test_no_longer_operator(self):
        """An operator who loses the role stays only in rooms to which the name is invited."""
        self.ask(self.op, "private", room="attic")
        self.ask(self.op, "join", room="attic")
        self.close_den()
        self.chat.use_operators([])
        self.assertEqual(self.hear(self.op), [presence.removed("attic")])
        self.assertEqual(list(self.op.rooms), ["den"])

    def test_who(self):
        """`who` tells the people of a private room that it is private."""
        self.assertNotIn("private", self.ask(self.ann, "who", room="den"))
        self.close_den()
        self.assertIs(self.ask(self.ann, "who", room="den")["private"], True)

    def test_invited(self):
        """The list has the invited names, folded and in order, in parts if it is long."""
        self.close_den()
        names = [f"{chr(0x10428) * 28}{number:03}" for number in range(490)]
        for name in names:
            self.ask(self.op, "invite", room="den", name=name)
        listed: list[str] = []
        after: dict[str, str] = {}
        while True:
            part = self.ask(self.op, "invited", room="den", **after)
            self.assertEqual(part["room"], "Den")
            listed += part["names"]
            if "next" not in part:
                break
            after = {"after": part["next"]}
        self.assertNotEqual(after, {})
        self.assertEqual(listed, ["ann", "op", *names])
        self.assert_refused("bad-request", self.op, "invited", room="lobby")

    def test_bad_invitation(self):
        """Operators cannot invite guests, nor anybody to a room that is not private."""
        self.assert_refused("bad-request", self.op, "invite", room="den", name="bob")
        self.close_den()
        self.assert_refused("bad-name", self.op, "invite", room="den", name="guest-1")


class NoAccountsTests(ChatCase):
    """A server without accounts, on which anybody may take an operator's name."""

    options: ClassVar = {"operators": ("op",)}

    def test_refused(self):
        """The server refuses the commands with a code of their own."""
        op = self.chat.arrive("op")
        for command in ("private", "public", "invited"):
            self.assert_refused("needs-accounts", op, command, room="den")
        for command in ("invite", "uninvite"):
            self.assert_refused("needs-accounts", op, command, room="den", name="ann")


class InTimeTests(PrivateCase):
    """Takes invitations back while a command is under way."""

    def setUp(self):
        super().setUp()
        for number in range(3):
            self.chat.say(self.ann, f"old {number}", room="den")
        self.close_den()
        self.ask(self.op, "invite", room="den", name="bob")
        self.forget()

    def uninvite(self, name):
        """Take an invitation back before the store's other answers."""
        done = self.chat.command(self.op, "uninvite", room="den", name=name)
        self.chat.end_turn()
        self.answer_change()
        self.successResultOf(done)

    def test_message_under_way(self):
        """The server delivers an earlier message, and its author gets the receipt alone."""
        self.store.is_slow = True
        self.chat.say(self.ann, "mine", room="den")
        self.chat.say(self.op, "theirs", room="den")
        self.chat.end_turn()
        self.uninvite("ann")
        self.assertEqual(self.hear(self.ann), [presence.removed("Den")])
        self.chat.finish()
        self.assertEqual(texts(self.hear(self.ann)), ["mine"])
        self.assertCountEqual(texts(self.hear(self.op)), ["mine", "theirs"])

    def test_message_under_way_of_a_session_that_ended(self):
        """An author who has left gets no receipt."""
        self.store.is_slow = True
        self.chat.say(self.ann, "mine", room="den")
        self.chat.end_turn()
        self.delivery.vanish(self.ann)
        tells = self.delivery.counts["tell"]
        self.chat.finish()
        self.assertEqual(self.delivery.counts["tell"], tells)

    def test_joining(self):
        """The server refuses a member whose invitation ends before the room is open."""
        self.delivery.vanish(self.ann)
        self.delivery.vanish(self.op)
        self.op = self.chat.arrive("op", account=True)
        self.forget()
        self.store.is_slow = True
        joining = self.chat.command(self.bob, "join", room="den")
        self.uninvite("bob")
        self.chat.finish()
        self.successResultOf(joining)
        self.assertEqual(codes(self.hear(self.bob)), ["not-invited"])
        self.assertNotIn("den", self.bob.rooms)

    def test_resuming(self):
        """A member whose invitation ends before the first page is refused, and gets no message."""
        self.store.is_slow = True
        joining = self.chat.command(self.bob, "join", room="den", after=0)
        self.uninvite("bob")
        self.chat.finish()
        self.successResultOf(joining)
        told = self.hear(self.bob)
        self.assertEqual((codes(told), texts(told)), (["not-invited"], []))

    def test_resuming_between_pages(self):
        """A member whose invitation ends between two pages gets an event, and no further page."""
        self.store.is_slow = True
        self.store.page = 1
        joining = self.chat.command(self.bob, "join", room="den", after=0)
        self.store.answer("read")
        self.uninvite("bob")
        self.chat.finish()
        self.successResultOf(joining)
        result, message, removed = self.hear(self.bob)
        self.assertTrue(is_result(result))
        self.assertEqual(message.text, "old 0")
        self.assertEqual(removed, presence.removed("Den"))
        self.assertNotIn("den", self.bob.rooms)

    def test_rejoining_between_pages(self):
        """A member that reads pages of its room gets one event, even if it is invited again."""
        self.store.is_slow = True
        self.store.page = 1
        joining = self.chat.command(self.ann, "join", room="den", after=0)
        self.store.answer("read")
        self.uninvite("ann")
        done = self.chat.command(self.op, "invite", room="den", name="ann")
        self.answer_change()
        self.successResultOf(done)
        self.chat.finish()
        self.successResultOf(joining)
        told = self.hear(self.ann)
        self.assertEqual(texts(told), ["old 0"])
        events = [each for each in told if each.type == MessageType.EVENT]
        self.assertCountEqual(events, [presence.removed("Den"), presence.invited("Den", "Op")])
        self.assertNotIn("den", self.ann.rooms)

    def test_rejoining_before_the_first_page(self):
        """A member that the server removes before the first page gets no page."""
        self.store.is_slow = True
        joining = self.chat.command(self.ann, "join", room="den", after=0)
        self.uninvite("ann")
        self.chat.finish()
        self.successResultOf(joining)
        told = self.hear(self.ann)
        self.assertEqual(told[0], presence.removed("Den"))
        self.assertEqual((codes(told), texts(told)), (["not-invited"], []))

    def test_history(self):
        """A member whose invitation ends during the reading of history gets none of it."""
        self.store.is_slow = True
        reading = self.chat.command(self.ann, "history", room="den")
        self.uninvite("ann")
        self.chat.finish()
        self.successResultOf(reading)
        told = self.hear(self.ann)
        self.assertEqual((codes(told), texts(told)), (["not-in-room"], []))


class BrokenStoreTests(PrivateCase):
    """Changes that the store does not keep."""

    def test_not_stored(self):
        """If the store fails, nothing changes."""
        self.store.failure = StoreError("no")
        self.assert_refused("not-stored", self.op, "private", room="den")
        self.store.failure = None
        self.assertEqual(list(self.guest.rooms), ["den"])
        self.assertEqual(self.chat.notes, [])
