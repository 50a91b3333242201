"""Tests of clients that go, and a server that stops, while the store is slow."""

from __future__ import annotations

from chatd.transport.closing import CLOSE_TIMEOUT_S
from tests.fakes.peers import GOODBYE, ack, command, greeted_client, settle
from tests.server.cases import PING, AnswerCase
from tests.wire.hostile import NO_FRAME


class LastWordsTests(AnswerCase):
    """A client that sends messages and leaves gets its receipts first."""

    def check_receipts(self, ends: list[str]) -> None:
        """Check that alice's session lasts until she gets her receipts."""
        settle(self.factory)
        self.assertEqual((self.told(self.alice), self.alice.transport.ends), ([], []))
        self.assertEqual(self.names(), ["alice", "bob"])
        self.store.answer()
        settle(self.factory)
        self.assertEqual(self.told(self.alice), ["one", "too-bad bad", "two"])
        self.assertEqual(self.alice.transport.ends, ends)
        self.assertEqual(self.names(), ["bob"])
        self.assertEqual(self.told(self.bob), ["one", "two", "left"])
        self.factory.clock.advance(CLOSE_TIMEOUT_S)
        self.assertEqual(self.alice.transport.ends, [*ends, "abort"])

    def test_farewelling(self) -> None:
        """A client that says goodbye gets its answers first."""
        self.alice.say("one", "bad", "two")
        self.alice.send(GOODBYE)
        self.check_receipts(["half-close"])

    def test_half_closed(self) -> None:
        """A client that closes its sending half gets its answers first."""
        self.alice.say("one", "bad", "two")
        self.alice.protocol.readConnectionLost()
        self.check_receipts(["close"])

    def test_half_closed_in_a_later_turn(self) -> None:
        """A client may close its sending half while the store works."""
        self.alice.say("one", "bad", "two")
        settle(self.factory)
        self.alice.protocol.readConnectionLost()
        self.check_receipts(["close"])

    def test_both(self) -> None:
        """A client may say goodbye and close its sending half."""
        self.alice.say("one", "bad", "two")
        self.alice.send(GOODBYE)
        self.alice.protocol.readConnectionLost()
        self.check_receipts(["close"])

    def test_half_closed_after_a_fault(self) -> None:
        """A client that broke the protocol and closed its sending half gets all answers."""
        self.alice.say("one")
        self.alice.protocol.dataReceived(NO_FRAME)
        self.alice.protocol.readConnectionLost()
        self.assertEqual(self.told(self.alice), [])
        self.assertEqual(self.answered(self.alice), ["one", "bad-length", "bad-length"])
        self.assertEqual(self.alice.transport.ends, ["close"])

    def test_several_transactions(self) -> None:
        """The client gets all receipts, even if they take many transactions."""
        self.alice.say("one")
        settle(self.factory)
        self.alice.say("two")
        self.alice.send(GOODBYE)
        self.assertEqual(self.answered(self.alice), ["one"])
        self.assertEqual(self.alice.transport.ends, [])
        self.assertEqual(self.answered(self.alice), ["two"])
        self.assertEqual(self.alice.transport.ends, ["half-close"])

    def check_long_wait(self) -> None:
        """Check that alice gets her receipt, even after a long time."""
        for _ in range(40):
            self.factory.clock.advance(0.5)
            self.bob.send(PING)
        self.assertEqual(self.alice.transport.ends, [])
        self.assertEqual(self.answered(self.alice)[-1], "one")
        self.assertEqual(self.names(), ["bob"])

    def test_farewelling_for_long(self) -> None:
        """A client that said goodbye is not ended for its silence."""
        self.alice.say("one")
        self.alice.send(GOODBYE)
        self.check_long_wait()

    def test_half_closed_for_long(self) -> None:
        """A client that closed its sending half is not ended for its silence."""
        self.alice.say("one")
        self.alice.protocol.readConnectionLost()
        self.check_long_wait()

    def test_does_not_read(self) -> None:
        """The server cuts off a client that does not read if too many bytes wait for it."""
        self.alice.transport.accept_no_more()
        self.alice.say("one")
        self.alice.send(GOODBYE)
        settle(self.factory)
        self.alice.protocol.deliver(bytes(20 * 1024 * 1024))
        settle(self.factory)
        self.assertEqual(self.alice.transport.ends, ["half-close"])
        self.assertEqual(self.names(), ["bob"])
        self.store.answer()
        self.assertEqual(self.told(self.bob), ["left", "one"])

    def test_reads_slowly(self) -> None:
        """A client that reads slowly gets its receipts."""
        self.alice.transport.accept_no_more()
        self.alice.say("one")
        self.alice.send(GOODBYE)
        self.assertEqual(self.told(self.alice), [])
        self.assertEqual(self.answered(self.alice), ["one"])
        self.alice.transport.accept_again()
        self.assertEqual(self.alice.transport.ends, ["half-close"])

    def test_hears_others_until_then(self) -> None:
        """Until then, it gets others' messages."""
        self.bob.say("from bob")
        self.alice.say("one")
        self.alice.send(GOODBYE)
        self.assertEqual(self.told(self.alice), [])
        self.assertEqual(self.answered(self.alice), ["from bob"])
        self.assertEqual(self.answered(self.alice), ["one"])


class GoneTests(AnswerCase):
    """A session may end before the store answers."""

    def test_connection_lost(self) -> None:
        """The server still delivers its messages to the others."""
        self.alice.say("one")
        settle(self.factory)
        self.alice.transport.lose()
        self.assertEqual(self.names(), ["bob"])
        self.store.answer()
        self.assertEqual(self.told(self.bob), ["left", "one"])

    def test_ended_by_the_server(self) -> None:
        """A session that a program ends gets the answers to its messages first."""
        self.alice.say("one")
        settle(self.factory)
        next(iter(self.factory.sessions.values())).end("enough", "that was enough")
        self.assertEqual(self.told(self.alice), [])
        self.store.answer()
        self.assertEqual(self.told(self.bob), ["one", "left"])
        self.assertEqual(self.told(self.alice), ["one", "enough"])

    def test_kicked(self) -> None:
        """A session that is kicked does not wait."""
        self.alice.say("one")
        settle(self.factory)
        self.alice.protocol.end_session("enough", "that was enough")
        self.assertEqual(self.told(self.alice), ["enough"])
        self.store.answer()
        self.assertEqual(self.told(self.bob), ["left", "one"])
        self.assertEqual(self.told(self.alice), [])

    def test_command(self) -> None:
        """A command that waited for an answer does not run if its client has left."""
        for is_lost in (True, False):
            self.setUp()
            self.alice.say("one")
            self.alice.send(command("name", name="alina"))
            settle(self.factory)
            if is_lost:
                self.alice.transport.lose()
            else:
                self.alice.protocol.end_session("enough", "that was enough")
            settle(self.factory)
            self.store.answer()
            self.assertEqual(self.told(self.bob), ["left", "one"])
            self.assertEqual(getattr(self.factory, "commanded", []), [])
            self.assertEqual(list(self.factory.hub.roster.here), ["bob"])

    def test_fault(self) -> None:
        """The server does not report a fault that waited if the client has left."""
        self.alice.say("one")
        self.alice.protocol.dataReceived(NO_FRAME)
        settle(self.factory)
        self.alice.transport.lose()
        self.store.answer()
        self.assertEqual(self.told(self.bob), ["left", "one"])
        self.assertEqual(self.told(self.alice), [])

    def test_room_is_gone(self) -> None:
        """A message in a room that is empty by now keeps its place."""
        self.alice.say("one")
        self.alice.transport.lose()
        self.bob.transport.lose()
        settle(self.factory)
        self.assertEqual(list(self.factory.hub.roster.rooms), ["lobby"])
        self.store.answer()
        self.assertEqual(self.factory.hub.roster.rooms, {})
        carol = greeted_client(self.factory)
        carol.send(ack(carol, "carol"))
        settle(self.factory)
        self.assertEqual(carol.take()[0].header["rooms"][0]["seq"], 1)


class ShutdownTests(AnswerCase):
    """A server that shuts down answers earlier messages first."""

    def test_answers_first(self) -> None:
        """The sessions end when their messages have answers."""
        self.alice.say("one")
        done = self.factory.shut_down()
        self.assertEqual(self.told(self.alice), [])
        self.store.answer()
        self.assertEqual(self.told(self.alice), ["one", "shutting-down"])
        self.assertEqual(self.told(self.bob), ["one", "shutting-down"])
        for client in (self.alice, self.bob):
            client.transport.lose()
        self.assertIsNone(self.successResultOf(done))

    def test_those_who_speak_on(self) -> None:
        """Clients that go on sending do not delay the end."""
        self.alice.say("one")
        self.factory.shut_down()
        settle(self.factory)
        for number in range(3):
            self.bob.say(f"and {number}")
            settle(self.factory)
        self.store.answer()
        self.assertEqual(self.told(self.alice), ["one", "shutting-down"])
        self.store.answer()
        self.assertEqual(self.told(self.bob), ["one", "shutting-down"])

    def test_what_waits_for_the_next_transaction(self) -> None:
        """The server answers messages before the shutdown, even if a transaction is under way."""
        self.alice.say("one")
        settle(self.factory)
        self.bob.say("two")
        self.factory.shut_down()
        self.assertEqual(self.answered(self.alice), ["one"])
        self.assertEqual(self.answered(self.alice), ["two", "shutting-down"])

    def test_store_that_fails(self) -> None:
        """A failing store does not delay the shutdown."""
        self.alice.say("one")
        self.factory.shut_down()
        self.store.fail()
        self.assertEqual(self.told(self.alice), ["not-stored one", "shutting-down"])
