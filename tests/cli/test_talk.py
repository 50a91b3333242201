"""The rooms and messages of a person at a terminal, also after a reconnect."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd import ChatFactory, RequestError
from chatd.chat.policy import Policy
from chatd.cli import reading
from chatd.cli.console import ConsoleClient
from chatd.cli.people import People
from chatd.client.client import RECEIPTS_S
from chatd.storage.memory import MemoryStore
from chatd.wire.messages import Message, MessageType
from tests.cli.talking import Talker
from tests.cli.wiring import CommandReactor


class Silent(ChatFactory):
    """A server that receives messages, and never answers."""

    def message_received(self, session, message):
        return Deferred()


class Strict(ChatFactory):
    """A server that refuses every message."""

    def message_received(self, session, message):
        raise RequestError("not-allowed", "not that")


class Slow(ChatFactory):
    """A server that answers `history` late."""

    gate = None

    async def command_received(self, session, message):
        if self.gate is not None and message.header["command"] == "history":
            await self.gate
        answered: Any = super().command_received(session, message)
        await answered


class TalkCase(SynchronousTestCase):
    def setUp(self):
        self.reactor = CommandReactor()

    def talker(self, name, *rooms):
        """Return a talker, with the lines shown at the beginning forgotten."""
        talker = Talker(self.reactor, name, *rooms)
        talker.lines.clear()
        return talker

    def lose(self, talker):
        """Cut a connection; the client reconnects after 2 s."""
        talker.client.transport.abortConnection()
        self.reactor.settle()

    def come_back(self):
        """Let time pass until everyone has reconnected."""
        self.reactor.advance(2)
        self.reactor.settle()


class JoiningTests(TalkCase):
    def test_last_messages(self):
        """Connecting shows the last ten messages of the room, marked as earlier messages."""
        bob = self.talker("bob")
        for number in range(12):
            bob.type(f"line {number}")
        alice = Talker(self.reactor, "alice")
        earlier = [f"| bob: line {number}" for number in range(2, 12)]
        self.assertEqual(
            alice.lines, ["* you are alice, in lobby", "* earlier messages in lobby:", *earlier]
        )

    def test_by_command(self):
        """So does a later join, with the room's topic."""
        bob = self.talker("bob", "ops")
        bob.type("/topic tea")
        bob.type("hello")
        alice = self.talker("alice")
        self.assertEqual(
            alice.type("/join ops"),
            ["* you are in ops, 2 here; topic: tea", "* earlier messages in ops:", "| bob: hello"],
        )

    def test_several_rooms(self):
        """Connecting to several rooms shows the messages of each."""
        bob = self.talker("bob", "ops", "attic")
        bob.type("/topic tea")
        for line in ("in ops", "/join attic", "in the attic"):
            bob.type(line)
        alice = Talker(self.reactor, "alice", "lobby", "ops", "attic")
        self.assertEqual(alice.lines[0], "* you are alice, in lobby, ops, attic")
        self.assertCountEqual(
            alice.lines[1:],
            [
                "* the topic of ops: tea",
                "* earlier messages in ops:",
                "| bob: in ops",
                "* earlier messages in attic:",
                "| bob: in the attic",
            ],
        )

    def test_very_many_rooms(self):
        """A client that asks for more rooms than a greeting can hold gets all of them."""
        rooms = [f"r{number}" for number in range(25)]
        alice = Talker(self.reactor, "alice", *rooms)
        self.assertEqual(alice.talk.whereabouts.rooms, rooms)
        self.assertIn("* you are in r24, 1 here", alice.lines)
        self.assertEqual(alice.type("hello"), ["[r0] alice: hello"])

    def test_said_meanwhile(self):
        """The client shows new messages during the fetch of earlier ones after them, once."""
        self.reactor = CommandReactor(Slow)
        bob = self.talker("bob")
        bob.type("one")
        gate: Deferred[Any] = Deferred()
        self.reactor.server.gate = gate
        alice = self.talker("alice")
        bob.type("two")
        bob.type("/msg alice psst")
        self.assertEqual(alice.lines, ["bob → you: psst"])
        gate.callback(None)
        self.reactor.settle()
        self.assertEqual(
            alice.lines[1:], ["* earlier messages in lobby:", "| bob: one", "bob: two"]
        )

    def test_lost_meanwhile(self):
        """The client shows these messages even if the connection is lost before the fetch."""
        self.reactor = CommandReactor(Slow)
        bob = self.talker("bob")
        bob.type("one")
        self.reactor.server.gate = Deferred()
        alice = self.talker("alice")
        bob.type("two")
        self.lose(alice)
        self.assertIn("bob: two", alice.lines)

    def test_server_without_commands(self):
        """A server without commands for rooms can be used."""

        class Terse(ChatFactory):
            def command_received(self, session, message):
                raise RequestError("unknown-command", "there are none")

        self.reactor = CommandReactor(Terse)
        self.talker("bob").type("hello")
        alice = self.talker("alice")
        self.assertEqual(alice.type("hello"), ["alice: hello"])


class DirectTests(TalkCase):
    """The direct messages that came while the person was away."""

    def test_while_away(self):
        """Connecting shows them, but neither answered messages nor the person's own."""
        alice, dave = (Talker(self.reactor, name) for name in ("alice", "dave"))
        alice.type("/msg zoe one")
        alice.type("/msg zoe two")
        dave.type("/msg zoe hello")
        zoe = Talker(self.reactor, "zoe")
        self.assertEqual(
            [line for line in zoe.lines if "→" in line or "---" in line],
            [
                "--- new ---",
                "alice → you: one",
                "alice → you: two",
                "--- new ---",
                "dave → you: hello",
            ],
        )
        self.assertEqual(
            [place.title for place in zoe.talk.places.all], ["lobby", "@alice", "@dave"]
        )
        shown = "\n".join(zoe.lines)
        for text in ("one", "two", "hello"):
            self.assertIn(text, shown)
        zoe.type("/msg dave hello to you")
        zoe.type("/quit")
        zoe.talk.service.stopService()
        self.reactor.settle()
        again = Talker(self.reactor, "zoe")
        self.assertEqual(
            [line for line in again.lines if "→" in line],
            ["alice → you: one", "alice → you: two"],
        )

    def test_shown_the_last_time(self):
        """Those that were shown the last time are shown again, but do not count as new."""
        saved: dict[str, str] = {}

        def alice():
            login = {"direct_shown": dict(saved), "direct_changed": saved.update}
            return Talker(self.reactor, "alice", login=login)

        def unread(talker):
            return [(each.place.title, each.messages) for each in talker.talk.places.unread]

        bob = self.talker("bob")
        bob.type("/msg alice one")
        first = alice()
        self.assertEqual(unread(first), [("@bob", 1)])
        bob.type("/msg alice two")
        first.leave()
        second = alice()
        self.assertEqual(unread(second), [])
        self.assertEqual(second.lines[-2:], ["| bob → you: one", "| bob → you: two"])
        self.assertEqual([place.title for place in second.talk.places.all], ["lobby", "@bob"])
        second.leave()
        bob.type("/msg alice three")
        third = alice()
        self.assertEqual(unread(third), [("@bob", 1)])
        self.assertEqual(third.lines[-2:], ["--- new ---", "bob → you: three"])

    def test_many_people(self):
        """The client knows what it has shown of the latest people alone."""
        self.patch(reading, "_MAX_DIRECT", 1)
        alice, bob, dave = map(self.talker, ("alice", "bob", "dave"))
        bob.type("/msg alice one")
        dave.type("/msg alice two")
        self.assertEqual(list(alice.talk.reading.direct), ["dave"])

    def test_after_the_rooms(self):
        """The client shows them after the messages of the rooms, even if those come late."""
        self.reactor = CommandReactor(Slow)
        bob = self.talker("bob", "lobby", "ops")
        for line in ("in the lobby", "/msg alice one", "/goto ops", "in ops"):
            bob.type(line)
        gate: Deferred[Any] = Deferred()
        self.reactor.server.gate = gate
        alice = self.talker("alice", "lobby", "ops")
        self.assertEqual(alice.lines, [])
        gate.callback(None)
        self.reactor.settle()
        self.assertEqual(alice.lines[-2:], ["--- new ---", "bob → you: one"])
        self.assertEqual(len(alice.lines), 6)
        (unread,) = [each for each in alice.talk.places.unread if each.place.is_person]
        self.assertEqual((unread.place.title, unread.messages), ("@bob", 1))
        self.assertTrue(unread.is_for_you)

    def test_meanwhile(self):
        """The client shows a direct message that comes during the fetch once."""
        self.reactor = CommandReactor(Slow)
        bob = self.talker("bob")
        bob.type("/msg alice one")
        bob.type("hello")
        gate: Deferred[Any] = Deferred()
        self.reactor.server.gate = gate
        alice = self.talker("alice")
        bob.type("/msg alice two")
        self.assertEqual(alice.lines, ["bob → you: two"])
        gate.callback(None)
        self.reactor.settle()
        self.assertEqual([line for line in alice.lines if "one" in line], ["bob → you: one"])
        self.assertEqual([line for line in alice.lines if "two" in line], ["bob → you: two"])


class StateTests(TalkCase):
    """The client's knowledge of the rooms."""

    def state(self, talker, room="lobby"):
        state = talker.talk.states.of(room)
        return state.topic, state.members, sorted(state.names)

    def test_learnt(self):
        """The client knows topic, number of members and names at once, and follows the events."""
        bob = self.talker("bob")
        bob.type("/topic tea")
        alice = self.talker("alice")
        self.assertEqual(self.state(alice), ("tea", 2, ["alice", "bob"]))
        self.assertEqual(self.state(bob), ("tea", 2, ["alice", "bob"]))
        bob.type("/name rob")
        bob.type("/topic -")
        self.assertEqual(self.state(alice), ("", 2, ["alice", "rob"]))
        bob.leave()
        self.assertEqual(self.state(alice), ("", 1, ["alice"]))

    def test_after_a_reconnect(self):
        """They are learnt again after a reconnect."""
        alice, bob = self.talker("alice"), self.talker("bob")
        self.lose(alice)
        bob.type("/topic tea")
        bob.type("/name rob")
        self.come_back()
        self.assertEqual(self.state(alice), ("tea", 2, ["alice", "rob"]))

    def test_told(self):
        """The owner gets a call at each change."""
        alice, bob = self.talker("alice"), self.talker("bob", "ops")
        changes: list[Any] = []
        self.patch(alice.talk.window, "redraw", lambda: changes.append(self.state(alice)[1]))
        bob.type("/join lobby")
        self.assertEqual(changes[-1], 2)

    def test_failures(self):
        """The log has an error of the client itself, and the client goes on."""

        async def fail(*arguments):
            raise ZeroDivisionError

        self.patch(People, "learn", fail)
        self.patch(ConsoleClient, "topic", fail)
        alice = self.talker("alice")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(alice.type("hello"), ["alice: hello"])

    def test_odd_answer(self):
        """A server that answers nonsense leaves them unknown."""

        class Odd(ChatFactory):
            async def command_received(self, session, message):
                if message.header["command"] == "who":
                    answer = {"id": message.header["id"], "members": "many", "names": 7}
                    self.hub.roster.delivery.tell(session, (Message(MessageType.RESULT, answer),))
                else:
                    answered: Any = super().command_received(session, message)
                    await answered

        self.reactor = CommandReactor(Odd)
        self.assertEqual(self.state(self.talker("alice")), ("", None, []))


class PlaceTests(TalkCase):
    def test_first(self):
        """In the first room alone, the prompt does not name the room."""
        self.assertIsNone(self.talker("alice").talk.whereabouts.room_to_tell)
        self.assertIsNone(self.talker("bob", "ops").talk.whereabouts.room_to_tell)

    def test_several(self):
        """In several rooms, the prompt names the room."""
        alice = self.talker("alice", "ops", "attic")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "ops")
        alice.type("/join attic")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "attic")
        alice.type("/leave")
        self.assertIsNone(alice.talk.whereabouts.room_to_tell)

    def test_another(self):
        """In a room other than the first, it does so too."""
        alice = self.talker("alice")
        alice.type("/join ops")
        alice.type("/leave lobby")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "ops")
        alice.type("/leave")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "(no room)")

    def test_direct_message(self):
        """Without a room, lines go nowhere, also if somebody wrote; `/query` chooses a person."""
        alice, bob = self.talker("alice"), self.talker("bob")
        bob.type("/msg alice hello")
        alice.type("/leave")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "(no room)")
        alice.type("/query bob")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "@bob")

    def test_spelling(self):
        """A room has the server's spelling of its name."""
        self.talker("bob", "Ops")
        alice = self.talker("alice")
        alice.type("/join OPS")
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "Ops")


class CurrentRoomTests(TalkCase):
    def test_last_time(self):
        """Typed lines go to the room of the last time, if the person is there."""
        for current, room in (("OPS", "ops"), ("attic", "lobby"), (None, "lobby")):
            talker = Talker(self.reactor, "carol", "lobby", "ops", login={"current": current})
            self.assertEqual(talker.talk.whereabouts.current, room)
            self.successResultOf(talker.leave())

    def test_many_rooms(self):
        """That room may be joined after the greeting, which cannot name very many rooms."""
        rooms = [f"r{number}" for number in range(25)]
        talker = Talker(self.reactor, "carol", *rooms, login={"current": "r24"})
        self.assertEqual(talker.talk.whereabouts.current, "r24")

    def test_told(self):
        """The login is told each room that typed lines go to, and no conversation."""
        rooms: list[Any] = []
        talker = Talker(self.reactor, "carol", login={"current_changed": rooms.append})
        for line in ("/join ops", "/query bob", "/goto lobby", "/goto ops", "/leave ops"):
            talker.type(line)
        self.assertEqual(rooms, ["ops", "lobby", "ops", "lobby"])


class ReconnectTests(TalkCase):
    def test_missed(self):
        """After a reconnect, the client shows missed messages once, those of the rooms first."""
        alice, bob = self.talker("alice"), self.talker("bob")
        bob.type("before")
        self.lose(alice)
        for line in ("one", "/msg alice two", "three"):
            bob.type(line)
        alice.lines.clear()
        self.come_back()
        bob.type("four")
        self.assertEqual(alice.lines[0], "* connected again; you are alice")
        self.assertEqual(
            alice.lines[1:],
            ["--- new ---", "bob: one", "bob: three", "bob → you: two", "bob: four"],
        )

    def test_missed_nothing(self):
        """If nothing was missed, no rule stands before what comes later, unless one is away."""
        alice, bob = self.talker("alice"), self.talker("bob")
        for line, shown in (("/away", ["bob: hello"]), ("/away x", ["--- new ---", "bob: hello"])):
            alice.type(line)
            self.lose(alice)
            self.come_back()
            alice.lines.clear()
            bob.type("hello")
            self.assertEqual(alice.lines, shown)

    def test_rooms(self):
        """After a reconnect, the rooms and the current room are the same."""
        alice = self.talker("alice", "lobby", "ops", "attic")
        alice.type("/join ops")
        alice.type("/leave attic")
        self.lose(alice)
        self.assertEqual(alice.talk.whereabouts.room_to_tell, "ops")
        self.come_back()
        self.assertEqual(alice.talk.whereabouts.rooms, ["lobby", "ops"])
        self.assertEqual(alice.type("hello"), ["[ops] alice: hello"])

    def test_name(self):
        """After a reconnect, the client keeps a new name."""
        alice = self.talker("alice")
        alice.type("/name al")
        self.lose(alice)
        alice.lines.clear()
        self.come_back()
        self.assertEqual(alice.lines, ["* connected again; you are al"])

    def test_forgotten(self):
        """If the server lacks some missed messages, a note names the room."""
        self.reactor = CommandReactor(store=None)
        alice = self.talker("alice")
        alice.type("before")
        self.reactor.restart(store=MemoryStore(unix_time=self.reactor.seconds))
        bob = self.talker("bob")
        bob.type("after")
        alice.lines.clear()
        self.come_back()
        self.assertEqual(
            alice.lines,
            [
                "* connected again; you are alice",
                "* some messages in lobby may be missing here",
                "--- new ---",
                "bob: after",
            ],
        )

    def test_nothing_to_forget(self):
        """In a room without messages on a new server, no message can be missing."""
        alice = self.talker("alice")
        alice.type("before")
        self.reactor.restart(store=MemoryStore(unix_time=self.reactor.seconds))
        alice.lines.clear()
        self.come_back()
        self.assertEqual(alice.lines, ["* connected again; you are alice"])

    def test_shut_out(self):
        """The client reports and leaves a room that refuses it after a reconnect."""
        alice = self.talker("alice", "lobby", "ops")
        self.reactor.restart(policy=Policy(max_rooms=1))
        self.come_back()
        self.assertIn(
            "* cannot enter ops: a session is in 1 rooms at most (too-many-rooms)", alice.lines
        )
        self.assertEqual(alice.talk.whereabouts.rooms, ["lobby"])


class KeptTests(TalkCase):
    def test_sent_later(self):
        """Without a connection, the client keeps a message, says so, and sends it later."""
        alice, bob = self.talker("alice"), self.talker("bob")
        self.lose(alice)
        for line in ("one", "/msg bob two"):
            self.assertEqual(
                alice.type(line),
                ["* not connected; your message is sent after the client reconnects"],
            )
        bob.lines.clear()
        self.come_back()
        self.assertCountEqual(bob.lines, ["* alice joined", "alice: one", "alice → you: two"])
        self.assertIn("alice: one", alice.lines)
        self.assertIn("you → bob: two", alice.lines)

    def test_no_receipt(self):
        """After a reconnect, the client sends an unconfirmed message again, and shows it once."""
        self.reactor = CommandReactor(Silent)
        alice = self.talker("alice")
        alice.type("hello")
        self.assertEqual(alice.lines, [])
        self.reactor.restart()
        self.come_back()
        self.assertEqual(alice.lines.count("alice: hello"), 1)
        self.assertNotIn("not confirmed", "".join(alice.lines))

    def test_never_sent(self):
        """On leaving, the client reports a message that it has not sent."""
        alice = self.talker("alice")
        self.lose(alice)
        alice.type("hello")
        self.successResultOf(alice.leave())
        self.assertIn("* not sent: hello (there was no connection)", alice.lines)

    def test_sent_and_lost(self):
        """A message that was sent after a reconnect may have been delivered before the next."""
        self.reactor = CommandReactor(Silent)
        alice = self.talker("alice")
        self.lose(alice)
        alice.type("hello")
        self.come_back()
        self.lose(alice)
        self.successResultOf(alice.leave())
        self.assertIn("* not confirmed: hello (the server did not confirm it in time)", alice.lines)

    def test_impatient(self):
        """Ctrl+C ends the wait: the client shows each message without a receipt, and leaves."""
        self.reactor = CommandReactor(Silent)
        alice = self.talker("alice")
        alice.type("one")
        alice.type("two")
        leaving = Deferred.fromCoroutine(alice.talk.leave())
        self.reactor.settle()
        self.assertNoResult(leaving)
        leaving.cancel()
        self.reactor.settle()
        self.failureResultOf(leaving, CancelledError)
        self.assertEqual(
            alice.lines,
            [
                f"* not confirmed: {text} (the server did not confirm it in time)"
                for text in ("one", "two")
            ],
        )
        self.assertEqual(self.reactor.server.sessions, {})

    def test_never_confirmed(self):
        """So is a message without a receipt when the server ends the session for good."""
        self.reactor = CommandReactor(Silent)
        alice = self.talker("alice")
        alice.type("hello")
        (session,) = self.reactor.server.sessions.values()
        session.end("kicked", "go away")
        self.reactor.settle()
        self.assertEqual(
            alice.lines,
            ["* you were kicked: go away", "* not confirmed: hello (the connection was lost)"],
        )

    def test_refused(self):
        """The client shows a refused message with the reason, and cuts a very long message."""
        self.reactor = CommandReactor(Strict)
        alice = self.talker("alice")
        self.assertEqual(alice.type("hello"), ["* refused: hello (not that)"])
        (shown,) = alice.type("x" * 1_000_000)
        self.assertLess(len(shown), 1_100)
        self.assertTrue(shown.endswith("x… (not that)"))

    def test_too_long(self):
        """A message over the server's limit stays at the prompt, or the client reports it later."""
        self.reactor = CommandReactor(max_content=10)
        alice = self.talker("alice")
        self.assertTrue(alice.mistype("12345678901").startswith("not sent: content of 11 bytes"))
        self.lose(alice)
        alice.type("12345678901")
        alice.lines.clear()
        self.come_back()
        self.assertTrue(alice.lines[-1].startswith("* not sent: 12345678901 (content of 11"))


class WaitingTests(TalkCase):
    """Messages to a server that does not answer."""

    def setUp(self):
        self.reactor = CommandReactor(Silent)
        self.alice = self.talker("alice")
        self.seen: list[int] = []
        receipts = self.alice.talk.receipts
        self.patch(receipts, "_changed", lambda: self.seen.append(receipts.waiting))

    def test_waiting(self):
        """Messages are counted after a second, and the status line is drawn again then."""
        self.alice.type("one")
        self.reactor.advance(0.6)
        self.alice.type("two")
        self.seen.clear()
        self.reactor.advance(0.3)
        self.assertEqual((self.seen, self.alice.talk.receipts.outstanding), ([], 2))
        self.reactor.advance(0.2)
        self.assertEqual(self.seen, [1])
        self.reactor.advance(0.6)
        self.assertEqual(self.seen, [1, 2])

    def test_no_more(self):
        """A late receipt counts too, and nothing is left to do after the last."""
        self.alice.type("one")
        self.reactor.advance(1)
        self.reactor.restart()
        self.reactor.advance(2)
        self.reactor.settle()
        self.assertEqual((self.seen[-1], self.alice.talk.receipts.outstanding), (0, 0))
        self.assertFalse(self.alice.talk.receipts._timer.is_running)

    def test_leaving(self):
        """After a second, the person is told how to leave without waiting."""
        told = "* waiting for the server; Ctrl+C gives up"
        self.alice.type("one")
        waiting = Deferred.fromCoroutine(self.alice.talk.leave())
        self.reactor.advance(0.9)
        self.assertEqual(self.alice.lines, [])
        self.reactor.advance(0.2)
        self.assertEqual(self.alice.lines, [told])
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertFalse(self.alice.talk.receipts._timer.is_running)

    def test_leaving_late(self):
        """A person who has waited already is told at once."""
        self.alice.type("one")
        self.reactor.advance(2)
        waiting = Deferred.fromCoroutine(self.alice.talk.leave())
        self.reactor.advance(0)
        self.assertEqual(self.alice.lines, ["* waiting for the server; Ctrl+C gives up"])
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)


class LeavingTests(TalkCase):
    def wait(self, talker):
        """Wait for receipts; return the Deferred."""
        waiting = Deferred.fromCoroutine(talker.talk.leave())
        self.reactor.settle()
        return waiting

    def test_receipts(self):
        """Leaving waits for the receipts of the last messages."""
        alice = self.talker("alice")
        alice.talk.say("hello")
        self.successResultOf(self.wait(alice))
        self.assertEqual(alice.lines, ["alice: hello"])

    def test_nothing(self):
        """If all is confirmed, or there is no connection, leaving does not wait."""
        alice = self.talker("alice")
        self.successResultOf(self.wait(alice))
        self.lose(alice)
        alice.type("hello")
        self.successResultOf(self.wait(alice))

    def test_not_for_long(self):
        """Leaving waits for a silent server only a few seconds."""
        self.reactor = CommandReactor(Silent)
        alice = self.talker("alice")
        alice.type("hello")
        waiting = self.wait(alice)
        self.reactor.advance(RECEIPTS_S - 0.1)
        self.assertNoResult(waiting)
        self.reactor.advance(0.2)
        self.reactor.settle()
        self.assertIs(self.successResultOf(waiting), False)

    def test_no_connection(self):
        """A message that cannot be sent any more is not confirmed."""
        alice = self.talker("alice")
        self.lose(alice)
        alice.type("hello")
        self.assertIs(self.successResultOf(self.wait(alice)), False)
