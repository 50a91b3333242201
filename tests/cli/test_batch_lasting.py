"""Listening, and going on after a lost connection."""

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError

from chatd import ChatClientFactory
from chatd.cli import batch
from chatd.cli.batch import LASTING_WINDOW, Output
from chatd.cli.status import Status
from chatd.client.endpoints import client_endpoint
from tests.cli.cases import BatchCase, Gated, Listed
from tests.cli.wiring import ENDPOINT, run_until_done
from tests.fakes.brokenstore import BrokenStore


class Mute(Listed):
    """A server that stores messages, and loses the connection before their receipts."""

    def message_received(self, session, message):
        super().message_received(session, message)
        session.end("shutting-down", "the server is shutting down", retry=True)


class FollowTests(BatchCase):
    def follow(self, *, rooms=("lobby",), **options):
        """Begin to follow, and return the Deferred of the status."""
        work = self.start(b"not read\n", follow=True, rooms=rooms, **options)
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.assertNoResult(done)
        return done

    def test_shows_what_is_received(self):
        """The command shows messages, sends nothing, reads no input, and reports the end."""
        done = self.follow()
        self.reactor.server.send_to_room("lobby", "news")
        self.reactor.settle()
        self.assertEqual(self.streams.written, ["* you are alice, in lobby", "server: news"])
        self.assertEqual(self.reactor.server.heard, [])
        self.reactor.server.shut_down()
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(self.complaints, ["the server is shutting down"])

    def test_json(self):
        """With JSON, the command prints one object a line."""
        done = self.follow(output=Output.JSON)
        self.reactor.server.send_to_room("lobby", "news")
        self.reactor.settle()
        self.assertEqual(json.loads(self.streams.written[-1])["text"], "news")
        self.reactor.server.shut_down()
        self.assertEqual(self.end(done), Status.LOST)

    def test_cancelled(self):
        """A signal ends it, after a goodbye."""
        ends: list[Any] = []
        done = self.follow().addErrback(ends.append)
        done.cancel()
        self.reactor.pass_until(lambda: ends)
        self.assertIsNotNone(ends[0].check(CancelledError))
        self.assertEqual(self.reactor.server.sessions, {})

    def test_output_closed(self):
        """If the reader of a pipe has enough, the work is done; for another output, it fails."""
        for is_pipe, expected in ((True, Status.DONE), (False, Status.LOST)):
            done = self.follow()
            self.patch(batch, "_is_pipe", lambda _, is_pipe=is_pipe: is_pipe)
            self.streams.protocol.writeConnectionLost()
            self.assertEqual(self.end(done), expected)
        self.assertEqual(self.complaints, ["cannot write to standard output"])

    def test_reconnect(self):
        """The command can go on after a lost connection, and shows the missed messages."""
        done = self.follow(reconnects=True)
        self.reactor.server.send_to_room("lobby", "one")
        self.reactor.restart()
        self.reactor.server.send_to_room("lobby", "two")
        self.reactor.pass_until(lambda: "server: two" in self.streams.written)
        self.assertEqual(self.streams.written.count("server: one"), 1)
        done.addErrback(lambda failure: failure.trap(CancelledError))
        done.cancel()
        self.reactor.settle()
        self.assertEqual(self.complaints, [])

    def test_gap(self):
        """If the server has lost messages, an error says so."""
        done = self.follow(reconnects=True)
        self.reactor.server.send_to_room("lobby", "one")
        self.reactor.restart(store=None)
        self.reactor.server.send_to_room("lobby", "two")
        self.reactor.pass_until(lambda: self.complaints)
        self.assertEqual(self.complaints, ["some messages in lobby may be missing here"])
        done.addErrback(lambda failure: failure.trap(CancelledError))
        done.cancel()
        self.reactor.settle()


class ReconnectTests(BatchCase):
    def begin(self, *inputs, server=Gated, is_open=False, **options):
        """Begin to send lines, from a source that may stay open; return the status's Deferred."""
        work = self.start(*inputs, server=server, reconnects=True, **options)
        if is_open:
            self.streams.read = lambda: self.streams.protocol.dataReceived(inputs[0])
        done = Deferred.fromCoroutine(work)
        self.reactor.settle()
        self.assertNoResult(done)
        return done

    def test_lost(self):
        """After a lost connection, all lines arrive once and in order, also unconfirmed ones."""
        lines = [str(number) for number in range(3 * LASTING_WINDOW)]
        done = self.begin("\n".join(lines).encode())
        self.reactor.restart(Listed)
        self.assertEqual(self.end(done), Status.DONE)
        self.assertEqual(self.reactor.server.heard, lines)
        self.assertEqual(self.complaints, [])

    def test_interrupted(self):
        """After a signal, an error names the lines that have no receipt, and the next."""
        ends: list[Any] = []
        done = self.begin(b"one\n", is_open=True).addErrback(ends.append)
        done.cancel()
        self.reactor.pass_until(lambda: ends)
        self.assertIsNotNone(ends[0].check(CancelledError))
        self.assertEqual(
            self.complaints,
            [
                "interrupted: no line is confirmed, line 1 was sent but not confirmed, "
                "the next is line 2"
            ],
        )

    def test_outage(self):
        """While the server cannot store, lines wait for minutes, and none is lost."""
        store = BrokenStore()
        store.is_broken = True
        done = self.begin(b"one\ntwo\n", server=Listed, store=store)
        for _ in range(300):
            self.reactor.advance(1)
            self.reactor.settle()
        self.assertNoResult(done)
        store.is_broken = False
        self.assertEqual(self.end(done), Status.DONE)
        self.assertEqual(self.complaints, [])
        self.assertEqual(
            self.streams.written[1:],
            [
                "* your messages wait, and are sent again: the server cannot store the message "
                "now; try again later (not-stored)",
                *("alice: one", "alice: two", "* your messages no longer wait"),
            ],
        )

    def test_stored_without_a_receipt(self):
        """The server does not store again a line that it had stored."""
        done = self.begin(b"one\ntwo\n", server=Mute)
        self.reactor.restart(Listed)
        self.assertEqual(self.end(done), Status.DONE)
        shown = [line for line in self.streams.written if not line.startswith("*")]
        self.assertEqual(shown, ["alice: one", "alice: two"])

    def test_name_taken(self):
        """If another client takes the name, the lines wait until the name is free again."""
        done = self.begin(b"one\n")
        self.reactor.restart(Listed)
        other: Deferred[Any] = client_endpoint(self.reactor, ENDPOINT).connect(
            ChatClientFactory(self.reactor, name="alice")
        )
        self.reactor.settle()
        for _ in range(30):
            self.reactor.advance(1)
            self.reactor.settle()
        self.assertNoResult(done)
        self.assertEqual(self.reactor.server.heard, [])
        self.successResultOf(other).disconnect()
        self.assertEqual(self.end(done), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["one"])

    def test_given_name(self):
        """A client that asked for no name keeps the name from the server."""
        done = self.begin(b"one\n", name=None)
        (session,) = self.reactor.server.sessions.values()
        self.reactor.restart(Listed)
        self.assertEqual(self.end(done), Status.DONE)
        self.assertEqual(self.streams.written[-1], f"{session.name}: one")

    def test_ids(self):
        """An id is that of the run and the line, so that a second run sends new messages."""
        ids = []
        for _ in range(2):
            self.send(b"same\nsame\n", output=Output.JSON)
            shown = map(json.loads, self.streams.written[1:])
            ids += [message["id"].split(":") for message in shown]
        self.assertEqual([line for _, line in ids], ["1", "2", "1", "2"])
        self.assertEqual(len({run for run, _ in ids}), 2)

    def test_nobody_there_at_first(self):
        """If there is no server at first, it fails at once: the endpoint may be wrong."""
        work = self.start(b"one\n", server=None, reconnects=True)
        self.failureResultOf(run_until_done(self.reactor, work), ConnectError)

    def test_not_wanted_back(self):
        """It gives up if the server does not want the client back."""
        done = self.begin(b"one\ntwo\n")
        (session,) = self.reactor.server.sessions.values()
        session.end("kicked", "enough")
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            [
                "enough: no line is confirmed, lines 1-2 were sent but not confirmed, "
                "no other line is left"
            ],
        )

    def test_gives_up(self):
        """It gives up when lines wait and no receipt has come for ten minutes."""
        done = self.begin(b"one\ntwo\n")
        self.reactor.server.shut_down()
        self.reactor.server = None
        self.reactor.settle()
        for _ in range(598):
            self.reactor.advance(1)
            self.reactor.settle()
        self.assertNoResult(done)
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(
            self.complaints,
            [
                "the server has confirmed nothing for 10 minutes: no line is confirmed, "
                "lines 1-2 were sent but not confirmed, no other line is left"
            ],
        )

    def test_idle(self):
        """As long as no line waits, it reconnects without end."""
        done = self.begin(b"one\n", server=Listed, is_open=True)
        self.reactor.server.shut_down()
        server, self.reactor.server = self.reactor.server, None
        for _ in range(2_000):
            self.reactor.advance(1)
            self.reactor.settle()
        self.assertNoResult(done)
        self.reactor.server = Listed(self.reactor, store=server.store)
        self.streams.protocol.dataReceived(b"two\n")
        self.streams.protocol.readConnectionLost()
        self.assertEqual(self.end(done), Status.DONE)
        self.assertEqual(self.reactor.server.heard, ["two"])

    def test_forgotten(self):
        """If the server has lost messages, an error says that lines may be lost or doubled."""
        done = self.begin(b"one\n", server=Listed, is_open=True)
        self.reactor.restart(Listed, store=None)
        self.reactor.pass_until(lambda: self.complaints)
        self.assertEqual(
            self.complaints,
            [
                "the server has lost messages of lobby: confirmed lines may be among them, and "
                "lines without a confirmation may arrive twice"
            ],
        )
        self.streams.protocol.readConnectionLost()
        self.assertEqual(self.end(done), Status.DONE)

    def test_lower_limit(self):
        """The new server refuses a line that is too long for it; the others arrive."""
        done = self.begin(b"123456\none\n")
        self.reactor.restart(Listed, max_content=5)
        self.assertEqual(self.end(done), Status.LOST)
        self.assertEqual(self.reactor.server.heard, ["one"])
        self.assertRegex(self.complaints[0], r"\Aline 1 was refused: .*5")
