"""Tests of operators and private rooms, in one chat of two daemons."""

from random import Random
from typing import Any, ClassVar, NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.interface import KeptBan
from chatd.chat import severaldaemons
from chatd.chat.access import RoomAccess
from chatd.chat.moderation import Ban, Operators, Target
from chatd.chat.policy import Policy
from chatd.chat.questions import AccessChanged
from chatd.chat.shared import AccessChange
from chatd.errors import RequestError, StoreError
from tests.backplane.daemons import DaemonsCase
from tests.backplane.sharedmemory import SharedMemory


class OperatorsCase(DaemonsCase):
    options: ClassVar = {"policy": Policy(operators=("op",))}
    accounts = ("op", "ann", "bob")

    def setUp(self):
        super().setUp()
        self.op = self.connect(self.one, "op")
        self.ann = self.connect(self.two, "ann")
        self.bob = self.connect(self.two, "bob")
        self.forget(self.op, self.ann, self.bob)


class Lines(list[str]):
    """A log that keeps the lines about operators."""

    def info(self, _, *, line):
        self.append(line)


class ModerationTests(OperatorsCase):
    def test_kick(self):
        """A kick ends the sessions of a name on all daemons, with the reason for all."""
        here = self.connect(self.one, "ann")
        self.forget(self.op, self.bob)
        self.assertEqual(self.do(self.op.kick("ann", reason="noise")), 2)
        for client in (here, self.ann):
            self.assertEqual(self.end_of(client), ("kicked", False))
        told = [{"room": "lobby", "name": "ann", "by": "op", "reason": "noise"}]
        self.assertEqual((self.op.take("left"), self.bob.take("left")), (told, told))
        self.connect(self.two, "ann")

    def test_log(self):
        """Only the daemon where an operator gave a command logs it."""
        logs = [Lines(), Lines()]
        for server, log in zip(self.servers, logs, strict=True):
            self.patch(server.factory, "log", log)
        self.do(self.op.kick("ann", reason="noise"))
        self.do(self.op.ban("bob"))
        expected = ["op kicked ann (sessions: 1): 'noise'", "op banned bob for good"]
        self.assertEqual(logs, [expected, []])

    def test_kick_address(self):
        """A kick by address ends the sessions from it on all daemons."""
        for session in self.two.factory.sessions.values():
            session.address = "192.0.2.7"
        self.assertEqual(self.do(self.op.kick(address="192.0.2.7")), 2)
        self.assertEqual(self.end_of(self.bob), ("kicked", False))
        told = [{"room": "lobby", "name": name, "by": "op"} for name in ("ann", "bob")]
        self.assertEqual(self.op.take("left"), told)

    def test_ban(self):
        """A ban is in force on all daemons when it is answered, and so is its end."""
        self.assertEqual(self.do(self.op.ban("ann", reason="noise")), 1)
        self.assertEqual(self.end_of(self.ann), ("banned", False))
        for server in self.servers:
            self.assertEqual(self.refused(server, "ann"), "banned")
            with self.assertRaises(RequestError):
                server.factory.bans.check("ann", "local")
        (ban,) = self.do(self.op.bans())
        self.assertEqual((ban.name, ban.by, ban.reason), ("ann", "op", "noise"))
        self.do(self.op.unban("ann"))
        self.two.factory.bans.check("ann", "local")
        self.connect(self.two, "ann")
        failed = self.op.unban("ann")
        self.pump()
        self.assertEqual(self.failureResultOf(failed, RequestError).value.code, "bad-request")

    def test_unheard_ban(self):
        """A daemon that did not hear of a ban refuses the name all the same."""
        self.there.is_up = False
        self.do(self.op.ban("guest-cat", reason="noise"))
        self.there.is_up = True
        self.two.factory.bans.check("guest-cat", "local")
        told = "you are banned from this server: noise"
        self.assertEqual(self.refusal(self.two, "guest-cat").reason, told)

    def test_reconnected(self):
        """A daemon whose link works again hears of the bans and private rooms of the meantime."""
        self.do(self.ann.join("den"))
        cat = self.connect(self.two, "guest-cat", rooms=("lobby",))
        self.forget(self.op)
        self.there.lose_link()
        self.assertEqual(self.do(self.op.ban("guest-cat", reason="noise")), 0)
        self.do(self.op.command("private", room="den"))
        self.do(self.op.command("uninvite", room="den", name="ann"))
        self.assertFalse(cat.when_ended().called)
        self.there.restore_link()
        self.assertEqual(self.end_of(cat), ("banned", False))
        self.assertEqual(
            self.op.take("left"),
            [{"room": "lobby", "name": "guest-cat", "by": "op", "reason": "noise"}],
        )
        self.assertEqual(self.refused(self.two, "guest-cat"), "banned")
        self.assertEqual(self.ann.take("removed"), [{"room": "den"}])

    def test_reconnected_address(self):
        """A ban of an address of the meantime ends the sessions from there, and no others."""
        for session in self.two.factory.sessions.values():
            session.address = "192.0.2.7" if session.name == "bob" else "192.0.2.8"
        self.there.lose_link()
        self.do(self.op.ban(address="192.0.2.7"))
        self.there.restore_link()
        self.assertEqual(self.end_of(self.bob), ("banned", False))
        self.assertFalse(self.ann.when_ended().called)

    def test_reconnected_without_a_ban(self):
        """A ban that has ended, and one of the daemon's own file, end no session."""
        self.two.factory.bans.replace([Ban(name="ann")])
        self.there.lose_link()
        self.do(self.op.ban("bob", until=self.shared.now + 60))
        self.shared.now += 61
        self.there.restore_link()
        self.pump()
        for client in (self.ann, self.bob):
            self.assertFalse(client.when_ended().called)

    def test_own_bans(self):
        """The bans of a daemon's own file stay in force beside those of the backplane."""
        bans = self.one.factory.bans
        bans.replace([Ban(name="eve")])
        self.do(self.op.ban("guest-cat"))
        names = {ban.name for ban in self.do(self.op.bans())}
        self.assertEqual(names, {"eve", "guest-cat"})
        self.do(self.op.unban("eve"))
        bans.check("eve", "local")

    def test_key_of_an_address(self):
        """The backplane compares the bans of addresses by their site."""
        self.assertEqual(Target(address="2001:db8::1").text, Target(address="2001:db8::2").text)
        self.assertNotEqual(Target(name="127.0.0.1").text, Target(address="127.0.0.1").text)

    def test_newer_daemon(self):
        """A daemon answers a question that it does not know with no sessions."""
        answer = self.there.listener.asked({"ask": "something new"})
        self.assertEqual(self.do(Deferred.fromCoroutine(answer)), {"sessions": 0})

    def test_event_for_a_name(self):
        """An EVENT for a name reaches its sessions on other daemons."""
        self.here.tell_name("ANN", {"event": "renamed", "name": "b", "old_name": "a"})
        self.pump()
        self.assertEqual(self.ann.take("renamed"), [{"name": "b", "old_name": "a"}])

    def test_failure(self):
        """A failure while a daemon acts on what it heard is logged, and does not reach the link."""
        roster = self.two.factory.hub.roster
        self.patch(roster, "publish_except", lambda *_: 1 / 0)
        self.there.listener.heard_event("room lobby", {"event": "joined"}, "")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class PrivateTests(OperatorsCase):
    def setUp(self):
        super().setUp()
        self.guest = self.connect(self.two, "guest-1", rooms=("den",))
        for client in (self.op, self.ann, self.bob):
            self.do(client.join("den"))
        self.do(self.bob.leave("den"))
        self.forget(self.op, self.ann, self.bob, self.guest)

    def close_den(self):
        return self.do(self.op.command("private", room="den"))

    def test_private(self):
        """The accounts in the room on any daemon are invited; guests on any daemon must leave."""
        self.assertEqual(self.close_den(), {"room": "den", "invited": 2, "removed": 1})
        self.assertEqual(self.guest.take("removed"), [{"room": "den"}])
        told = [{"room": "den", "private": True, "name": "op"}]
        for client in (self.op, self.ann):
            self.assertEqual(client.take("room-changed"), told)
        failed = self.bob.join("den")
        self.pump()
        self.assertEqual(self.failureResultOf(failed, RequestError).value.code, "not-invited")
        self.patch(severaldaemons, "MAX_LISTED", 1)  # the first page has the hidden room alone
        self.assertEqual([each.room for each in self.do(self.bob.list_rooms())], ["lobby"])

    def test_pages(self):
        """All accounts in the room are invited, however many pages name them."""
        self.patch(severaldaemons, "_NAMES_AT_ONCE", 1)
        self.assertEqual(self.close_den()["invited"], 2)

    def test_long_folded(self):
        """The commands for rooms take a room whose folded name is longer than a name may be."""
        room = "\N{LATIN SMALL LIGATURE FFI}" * 32
        for client in (self.op, self.ann, self.guest):
            self.do(client.join(room))
        self.do(self.ann.command("topic", room=room, topic="tea"))
        self.assertEqual(self.guest.take("topic")[-1]["topic"], "tea")
        closed = self.do(self.op.command("private", room=room))
        self.assertEqual(closed, {"room": room, "invited": 2, "removed": 1})
        self.do(self.op.command("invite", room=room, name="bob"))
        self.do(self.bob.join(room))
        self.do(self.op.command("uninvite", room=room, name="bob"))
        invited = self.do(self.op.command("invited", room=room))
        self.assertEqual(invited["names"], ["ann", "op"])
        self.do(self.op.command("public", room=room))
        self.do(self.bob.join(room))

    def test_public(self):
        """Everybody on any daemon may enter a room that is public again."""
        self.close_den()
        self.forget(self.ann)
        self.do(self.op.command("public", room="den"))
        self.assertEqual(
            self.ann.take("room-changed"), [{"room": "den", "private": False, "name": "op"}]
        )
        self.do(self.bob.join("den"))

    def test_invite(self):
        """An invited name may enter on any daemon, and hears of its invitation."""
        self.close_den()
        self.do(self.op.command("invite", room="den", name="Bob"))
        self.assertEqual(self.bob.take("invited"), [{"room": "den", "name": "op"}])
        self.do(self.bob.join("den"))

    def test_uninvite(self):
        """Sessions of an uninvited name are removed on all daemons, and counted."""
        self.close_den()
        here = self.connect(self.one, "ann", rooms=("den",))
        self.forget(self.op)
        result = self.do(self.op.command("uninvite", room="den", name="ann"))
        self.assertEqual(result["removed"], 2)
        for client in (here, self.ann):
            self.assertEqual(client.take("removed"), [{"room": "den"}])
        self.assertEqual(self.op.take("left"), [{"room": "den", "name": "ann", "by": "op"}])

    def test_changed_elsewhere(self):
        """A change begins with what another daemon has kept, also if its word got lost."""
        self.close_den()
        other_op = self.connect(self.two, "op")
        self.there.listener = Deaf(self.there.listener)
        self.do(self.op.command("invite", room="den", name="bob"))
        self.do(other_op.command("invite", room="den", name="cat"))
        result = self.do(self.op.command("invited", room="den"))
        self.assertEqual(result["names"], ["ann", "bob", "cat", "op"])

    def test_heard_late(self):
        """The word of an earlier change, which comes after that of a later one, undoes nothing."""
        self.close_den()
        asked = self.there.listener.asked
        words: list[Any] = []

        async def keep_word(question):
            words.append(question)
            return {"sessions": 0}

        self.there.listener.asked = keep_word
        self.do(self.op.command("invite", room="den", name="bob"))
        self.do(self.op.command("uninvite", room="den", name="bob"))
        self.do(self.op.command("public", room="den"))
        for word in reversed(words):
            self.do(Deferred.fromCoroutine(asked(word)))
        self.do(self.bob.join("den"))

    def test_unreadable(self):
        """A daemon that cannot read the private rooms does not say that a change is in force."""
        self.close_den()
        question = AccessChanged(AccessChange("den", None, "op")).fields
        self.there.is_up = False
        asked = Deferred.fromCoroutine(self.there.listener.asked(question))
        self.failureResultOf(asked, StoreError)
        self.assertTrue(self.two.factory.engine.access.is_private("den"))

    def test_before_the_first_member(self):
        """A daemon that has not read the private rooms yet needs not hear of changes."""
        third = self.shared.node()
        server = self.serve(third)
        self.servers.append(server)
        self.close_den()
        self.assertTrue(server.factory.engine.access.is_private("lobby"))
        self.connect(server, "bob")
        self.assertTrue(server.factory.engine.access.is_private("den"))
        self.assertFalse(server.factory.engine.access.is_private("lobby"))


class Deaf:
    """A listener that does not hear questions."""

    def __init__(self, listener):
        self._listener = listener

    def __getattr__(self, name):
        return getattr(self._listener, name)

    async def asked(self, question):
        return {"sessions": 0}


class AtOnceTests(SynchronousTestCase):
    """Operators who change private rooms on two daemons at once."""

    def setUp(self):
        shared = SharedMemory()
        self.nodes = [shared.node(), shared.node()]
        self.both = [self.access_of(node) for node in self.nodes]
        self.one, self.two = self.both

    def access_of(self, node):
        access = RoomAccess(node, Operators(["op"], needs_account=True), DeferredLock())
        self.do(access.load())
        return access

    def do(self, change):
        return self.successResultOf(Deferred.fromCoroutine(change))

    def hold(self, change, node):
        """Begin a change whose calls are done later."""
        node.is_held = True
        return Deferred.fromCoroutine(change)

    @given(st.integers(0, 2**32))
    def test_both_hold(self, seed):
        """All changes of both hold, in whatever order the backplane does their calls."""
        self.setUp()
        chance = Random(seed)
        before = [f"old{number}" for number in range(4)]
        self.do(self.one.make_private("den", "Den", [Account(name) for name in before]))
        self.do(self.two.reload())
        begun = [
            self.hold(change, node)
            for number, (access, node) in enumerate(zip(self.both, self.nodes, strict=True))
            for change in (
                access.invite("den", f"new{number}"),
                access.uninvite("den", f"old{number}"),
                access.invite("den", f"newer{number}"),
            )
        ]
        while waiting := [node for node in self.nodes if node.owes_answers]:
            chance.choice(waiting).answer_next()
        for each in begun:
            self.successResultOf(each)
        for node in self.nodes:
            node.is_held = False
        (room,) = self.do(self.nodes[0].private_rooms())
        expected = {"old2", "old3", "new0", "new1", "newer0", "newer1"}
        self.assertEqual(room.invited, expected)
        for access in self.both:
            self.do(access.follow())
            self.assertEqual(access.private("den"), room)

    def test_private_twice(self):
        """Only one of two operators makes a room private; the other is refused."""
        late = self.hold(self.one.make_private("den", "Den", [Account("ann")]), self.nodes[0])
        self.do(self.two.make_private("den", "Den", [Account("bob")]))
        self.nodes[0].go_on()
        self.assertEqual(self.failureResultOf(late, RequestError).value.code, "bad-request")
        self.assertEqual(self.one.private("den").invited, {"bob"})

    def test_public_meanwhile(self):
        """A room that became public meanwhile is not made private by an invitation."""
        self.do(self.one.make_private("den", "Den", []))
        self.do(self.two.reload())
        late = self.hold(self.one.invite("den", "ann"), self.nodes[0])
        self.do(self.two.make_public("den"))
        self.nodes[0].go_on()
        self.assertEqual(self.failureResultOf(late, RequestError).value.code, "bad-request")
        self.assertFalse(self.one.is_private("den"))
        self.assertEqual(self.do(self.nodes[0].private_rooms()), [])

    def test_changed_before_public(self):
        """A room becomes public with what another operator changed meanwhile."""
        self.do(self.one.make_private("den", "Den", []))
        self.do(self.two.reload())
        late = self.hold(self.one.make_public("den"), self.nodes[0])
        self.do(self.two.invite("den", "ann"))
        self.nodes[0].go_on()
        self.assertEqual(self.successResultOf(late).invited, {"ann"})
        self.assertEqual(self.do(self.nodes[0].private_rooms()), [])


class Account(NamedTuple):
    """A person with an account."""

    key: str
    has_account: bool = True


class KeptBanTests(OperatorsCase):
    def test_newer(self):
        """A ban of a newer version is not listed, but refuses the name."""
        self.shared.bans["name cat"] = KeptBan("name cat", None, b'{"name": "cat", "rank": 1}')
        self.shared.bans["name guest-1"] = KeptBan("name guest-1", None, b'{"where": "here"}')
        self.assertEqual(self.do(self.op.bans()), [])
        self.assertEqual(self.refused(self.two, "guest-1"), "banned")

    def test_unlinked(self):
        """Without a link, an operator's command is refused, and nothing of it is done."""
        self.connect(self.one, "ann")
        self.here.lose_link()
        failed = [self.op.kick("ann"), self.op.ban("ann"), self.op.unban("ann"), self.op.bans()]
        self.pump()
        codes = [self.failureResultOf(each, RequestError).value.code for each in failed]
        self.assertEqual(codes, ["not-stored"] * 4)
        self.assertTrue(self.ann.is_active)
        self.assertEqual(len(self.one.factory.hub.roster.sessions_of("ann")), 1)
        self.one.factory.bans.check("ann", "local")

    def test_value(self):
        """The backplane keeps a whole ban, which any daemon can read."""
        self.do(self.op.ban("ann", until=2_000_000.0))
        (kept,) = self.shared.bans.values()
        ban = msgspec.json.decode(kept.value, type=Ban)
        self.assertEqual((kept.key, kept.until, ban.by), ("name ann", 2_000_000.0, "op"))
