"""The link to Redis in time: waiting, patience, heartbeats, and attempts to attach."""

import re
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.interface import LinkState
from chatd.backplane.redis.connections import LostError, RefusedError
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.script import load
from chatd.errors import StoreError
from chatd.storage.values import Durability
from tests.docs.pages import first_cells, page, section

RENEW, SCRIPT = load("renew"), load("privaterooms")
REPLICATION = b"role:master\r\nconnected_slaves:0\r\nmaster_replid2:" + b"0" * 40
ALWAYS = [b"appendonly", b"yes", b"appendfsync", b"always"]


class Server:
    """Answers as Redis does, as long as it is not told otherwise.

    Attributes:
        scripts: The names of the scripts that ran, with their arguments.
        silent: The scripts that are never answered.
        held: The scripts that `answer` answers.
        answers: Answers in place of the usual answers, by script or command.
    """

    def __init__(self):
        self.scripts = []
        self.silent = set()
        self.held = set()
        self.waiting = []
        self.answers = {}
        self.refusals = 0
        self.dialled = 0
        self.connections = []
        self.hears_probes = True

    async def dial(self, make):
        self.dialled += 1
        if self.refusals:
            self.refusals -= 1
            raise StoreError("connection refused")
        connection = Connection(self)
        self.connections.append(connection)
        return connection

    def answer(self, answer=1):
        """Answer all calls of held scripts so far."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            if isinstance(answer, Exception):
                each.errback(answer)
            else:
                each.callback(answer)

    def names(self):
        """Return the names of the scripts that ran."""
        return [name for name, *_ in self.scripts]


class Connection:
    """Stands for both connections of a link."""

    def __init__(self, server):
        self.server = server
        self.on_lost = self.on_push = lambda *arguments: None
        self.is_lost = False

    def execute_command(self, command, *arguments):
        server = self.server
        if self.is_lost:
            raise LostError("Not connected")
        name = f"{command} {arguments[0]}"
        usual = {
            "INFO server": b"run_id:abc\r\nredis_version:7.0.0",
            "INFO replication": REPLICATION,
            "CONFIG GET": ALWAYS,
            "generation": b"g",
            "attach": [0, [], 1],
            "renew": [],
            "rights": [[], b""],
        }
        if command == "EVALSHA":
            name = next(
                name
                for name in ("rights", "generation", "attach", "renew", "leave", "privaterooms")
                if load(name).sha == arguments[0]
            )
            server.scripts.append((name, *arguments))
        if name == "renew" and server.hears_probes:
            server.connections[-1].on_push(b"own", b"")
        if name in server.held:
            server.waiting.append(Deferred())
            return server.waiting[-1]
        if name in server.silent:
            return Deferred()
        answer = server.answers.get(name, usual.get(name, 1))
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def subscribe(self, channels):
        return succeed(None) if list(channels) else fail(LostError("nothing to hear"))

    def unsubscribe(self, channels):
        pass

    def abort(self):
        self.is_lost = True
        return succeed(None)


class LinkCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.server = Server()
        self.states: list[LinkState] = []
        self.link = Link(self.clock, self.server.dial)
        self.link.linked = self.states.append

    def call(self, *args):
        return Deferred.fromCoroutine(self.link.call(SCRIPT, (), args))

    def close(self):
        self.successResultOf(Deferred.fromCoroutine(self.link.close()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WaitingTests(LinkCase):
    def test_in_order(self):
        """Calls wait for the link, and are done in their order, before later calls."""
        calls = [self.call(number) for number in range(3)]
        later: list[Deferred[Any]] = []

        def call_again(answer):
            later.append(self.call("later"))
            return answer

        calls[0].addCallback(call_again)
        self.link.start()
        self.assertEqual([self.successResultOf(each) for each in calls + later], [1] * 4)
        ran = [args[4] for name, *args in self.server.scripts if name == "privaterooms"]
        self.assertEqual(ran, [0, 1, 2, "later"])
        self.close()

    def test_patience(self):
        """A call that waits for too long fails, and says why the link is lost."""
        self.server.refusals = 1000
        self.link.start()
        call = self.call()
        self.clock.pump([0.5] * 9)
        self.assertNoResult(call)
        self.clock.advance(0.5)
        error = self.failureResultOf(call, StoreError).value
        self.assertEqual(str(error), "the link to the backplane is lost: connection refused")
        self.close()

    def test_cast(self):
        """A call without an answer is done in order, and its failure is no error."""
        self.link.start()
        self.link.cast(SCRIPT, (), ("one",))
        self.server.answers["privaterooms"] = RefusedError("OOM no memory")
        self.link.cast(SCRIPT, (), ("two",))
        self.assertEqual(self.server.names().count("privaterooms"), 2)
        self.close()
        self.link.cast(SCRIPT)

    def test_closed(self):
        """After the end, calls fail at once; those that wait fail when it ends."""
        self.server.refusals = 1000
        self.link.start()
        call = self.call()
        self.close()
        self.failureResultOf(call, StoreError)
        self.failureResultOf(self.call(), StoreError)

    def test_lost_in_flight(self):
        """A call without an answer fails when the connection is lost."""
        self.link.start()
        self.server.answers["privaterooms"] = LostError("Lost connection")
        self.failureResultOf(self.call(), StoreError)
        self.close()


class QuestionTests(LinkCase):
    def ask(self, *args):
        return Deferred.fromCoroutine(self.link.ask(SCRIPT, (), args))

    def sent(self):
        """Return the first arguments of the scripts that were sent and are not of the link."""
        return [args[4] for name, *args in self.server.scripts if name == "privaterooms"]

    def test_past(self):
        """A write and a heartbeat go past a thousand questions; few of these are sent."""
        self.link.start()
        self.server.held = {"privaterooms"}
        for number in range(1000):
            self.ask(number).addErrback(lambda failure: failure.trap(StoreError))
        write = self.call("write")
        self.clock.advance(self.link.times.heartbeat_s)
        self.assertEqual(self.sent(), [0, 1, 2, 3, "write"])
        self.assertEqual(self.server.names()[-1], "renew")
        self.server.answer()
        self.assertEqual(self.sent()[5:], [4, 5, 6, 7])
        self.assertEqual(self.successResultOf(write), 1)
        self.server.held.clear()
        self.server.answer()
        self.assertEqual(self.sent()[5:], list(range(4, 1000)))
        self.close()

    def test_lost(self):
        """Questions that wait for their turns fail when the connection is lost."""
        self.link.start()
        self.server.held = {"privaterooms"}
        asked = [self.ask(number) for number in range(1000)]
        self.server.connections[0].is_lost = True
        self.server.answer(LostError("Lost connection"))
        for each in asked:
            self.failureResultOf(each, StoreError)
        self.close()

    def test_early(self):
        """Questions wait for the link, and are asked in their order."""
        asked = [self.ask(number) for number in range(6)]
        self.link.start()
        self.assertEqual([self.successResultOf(each) for each in asked], [1] * 6)
        self.assertEqual(self.sent(), list(range(6)))
        self.close()


class AttemptTests(LinkCase):
    def test_backoff(self):
        """Attempts come at growing times, which differ from node to node, up to a longest time."""
        self.server.refusals = 1000
        self.link.start()
        first = self.link.first_attempt()
        waits = []
        for _ in range(12):
            (call,) = self.clock.getDelayedCalls()
            waits.append(call.getTime() - self.clock.seconds())
            self.clock.advance(waits[-1])
        self.failureResultOf(first, StoreError)
        for n, wait in enumerate(waits):
            longest = min(0.1 * 2**n, 5.0)
            self.assertTrue(longest / 2 <= wait <= longest, (n, wait))
        self.assertNotEqual(waits[-1], waits[-2])
        self.assertEqual(len(self.states), 1)
        self.assertEqual(
            (self.states[0].is_up, self.states[0].reason), (False, "connection refused")
        )
        self.server.refusals = 0
        self.clock.advance(5)
        self.assertEqual([state.is_up for state in self.states], [False, True])
        self.assertEqual(self.successResultOf(self.link.first_attempt()), None)
        self.close()

    def test_reasons(self):
        """Each reason of an outage is in the log once, however many attempts fail for it."""
        self.link.start()
        with capturedLogs() as events:
            self.link.attachment.end("the connection is lost: reset")
            self.server.refusals = 3
            self.clock.pump([5.0] * 3)
            self.server.answers["SCRIPT LOAD"] = RefusedError("NOAUTH log in")
            self.clock.pump([5.0] * 3)
            self.server.refusals = 2
            self.clock.pump([5.0] * 3)
            self.server.answers.clear()
            self.clock.advance(5.0)
        lines = [formatEvent(event) for event in events]
        cells = first_cells(section(page("docs/reference/log.md"), "The backplane"))
        patterns = [re.sub("[A-Z]{4,}", ".+", cell.strip("`")) for cell in cells]
        for pattern in patterns:
            self.assertTrue(any(re.fullmatch(pattern, line) for line in lines), pattern)
        for line in lines:
            self.assertTrue(any(re.fullmatch(pattern, line) for pattern in patterns), line)
        self.assertEqual(
            lines,
            [
                "the backplane cannot be used: the connection is lost: reset",
                "the backplane still cannot be used: connection refused",
                "the backplane still cannot be used: NOAUTH log in",
                "the backplane works again after 50.0 s",
            ],
        )
        self.assertEqual([state.is_up for state in self.states], [False, True])
        self.close()

    def test_slow(self):
        """An attempt without an answer is given up, and its connections are closed."""
        self.server.silent.add("attach")
        self.link.start()
        self.clock.advance(10)
        self.assertTrue(all(connection.is_lost for connection in self.server.connections))
        self.assertEqual(self.states[-1].reason, "Redis does not answer")
        self.server.silent.clear()
        self.clock.advance(1)
        self.assertTrue(self.states[-1].is_up)
        self.close()

    def test_lost_meanwhile(self):
        """A connection that is lost while the node attaches ends the attempt."""
        self.server.silent.add("attach")
        self.link.start()
        self.server.connections[0].on_lost("reset")
        self.assertTrue(all(connection.is_lost for connection in self.server.connections))
        self.clock.advance(10)
        self.assertIs(self.states[-1].is_up, False)
        self.server.silent.clear()
        self.clock.advance(1)
        self.assertTrue(self.states[-1].is_up)
        self.close()

    def test_parts(self):
        """The link is offered when all parts have attached; if one fails, the attempt failed."""
        outcomes = [fail(StoreError("not now")), Deferred(), fail(LostError("Lost connection"))]
        attached = []

        class Part:
            async def attach(self, attachment):
                attached.append(attachment)
                await outcomes.pop(0)

            async def leave(self, attachment):
                attached.remove(attachment)

        self.link.parts.append(Part())
        waiting = outcomes[1]
        self.link.start()
        self.assertEqual(self.states[-1].reason, "not now")
        self.clock.advance(0.1)
        call = self.call()
        self.assertNoResult(call)
        waiting.callback(None)
        self.assertEqual(self.successResultOf(call), 1)
        self.link.attachment.end("for a test")
        self.clock.advance(0.1)
        self.assertEqual([state.is_up for state in self.states], [False, True, False])
        outcomes.append(succeed(None))
        self.clock.advance(1)
        self.assertIs(self.states[-1].is_up, True)
        self.close()
        self.assertEqual(len(attached), 3)

    def test_lost_in_part(self):
        """A node that loses its attachment in a part's work does not offer the link."""

        class Part:
            async def attach(self, attachment):
                attachment.end("lost")

            async def leave(self, attachment):
                """Do nothing."""

        self.link.parts.append(Part())
        self.link.start()
        self.assertEqual([state.is_up for state in self.states], [False])
        self.link.parts.clear()
        self.close()

    def test_fault(self):
        """A fault of the program is logged, and the next attempt comes."""

        class Part:
            async def attach(self, attachment):
                raise ZeroDivisionError

            async def leave(self, attachment):
                """Do nothing."""

        self.link.parts.append(Part())
        self.link.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.link.parts.clear()
        self.clock.advance(0.1)
        self.assertIs(self.states[-1].is_up, True)
        self.close()

    def test_error(self):
        """An error of Redis ends the attempt with its line."""
        self.server.answers["SCRIPT LOAD"] = RefusedError("NOPERM not allowed")
        self.link.start()
        self.assertIn("NOPERM", self.states[-1].reason)
        self.server.answers = {"generation": RefusedError("OOM no memory")}
        self.clock.advance(0.1)
        self.close()

    def test_safe(self):
        """The server is safe only alone, with every write on its disk before the answer."""
        everysec = [b"appendonly", b"yes", b"appendfsync", b"everysec"]
        for answers, is_safe in (
            ({}, 1),
            ({"CONFIG GET": everysec}, 0),
            ({"CONFIG GET": [b"appendonly", b"no", b"appendfsync", b"always"]}, 0),
            ({"CONFIG GET": RefusedError("NOPERM")}, 0),
            ({"INFO replication": REPLICATION.replace(b"slaves:0", b"slaves:1")}, 0),
            ({"INFO replication": REPLICATION.replace(b"0" * 40, b"5" * 40)}, 0),
            ({"INFO replication": REPLICATION.replace(b"master\r", b"slave\r")}, 0),
        ):
            self.setUp()
            self.server.answers = answers
            self.link.start()
            ((*_, safe, _, _, _, _),) = [
                each for each in self.server.scripts if each[0] == "generation"
            ]
            self.assertEqual(safe, is_safe, answers)
            self.clock.advance(2.5)
            ((*_, safe, _, _, _, _, _),) = [
                each for each in self.server.scripts if each[0] == "renew"
            ]
            self.assertEqual(safe, is_safe, answers)
            self.close()

    def test_close_while_dialling(self):
        """The end of the link ends an attempt, and closes its connections."""
        self.server.silent.add("generation")
        self.link.start()
        self.close()
        self.assertTrue(all(connection.is_lost for connection in self.server.connections))
        self.assertEqual(self.states, [])

    def test_close_fenced(self):
        """A node without its lease can stop."""
        self.link.start()
        self.server.answers["leave"] = RefusedError("FENCED the lease of this node has ended")
        self.close()
        self.assertEqual(self.states, [])


class HeartbeatTests(LinkCase):
    def test_renewed(self):
        """The lease is renewed again and again."""
        self.link.start()
        self.clock.pump([0.5] * 50)
        self.assertEqual(self.server.names().count("renew"), 10)
        self.assertEqual(self.states, [])
        self.close()

    def test_silent(self):
        """A subscription that brings no probes is found within two heartbeats, and made anew."""
        self.link.start()
        self.clock.advance(2.5)
        self.server.hears_probes = False
        self.clock.pump([0.5] * 14)
        self.assertEqual(self.states, [])
        self.clock.advance(0.5)
        self.assertEqual(self.states[0].reason, "the backplane is silent")
        self.assertTrue(all(connection.is_lost for connection in self.server.connections[:2]))
        self.server.hears_probes = True
        self.clock.advance(0.1)
        self.assertIs(self.states[-1].is_up, True)
        self.close()

    def test_refused(self):
        """A renewal that Redis refuses ends the attachment."""
        for code in ("FENCED the lease has ended", "READONLY this is a replica"):
            self.server.answers["renew"] = RefusedError(code)
            self.states.clear()
            link = self.link = Link(self.clock, self.server.dial)
            link.linked = self.states.append
            link.start()
            self.clock.advance(2.5)
            self.assertEqual(self.states[0].reason, code)
            self.server.answers.clear()
            self.clock.advance(0.1)
            self.assertIs(self.states[-1].is_up, True)
            self.close()

    def test_settings(self):
        """A server that loses data now ends the attachment, after it has noted that."""
        self.link = Link(self.clock, self.server.dial, durability=Durability.FULL)
        self.link.linked = self.states.append
        self.link.start()
        self.clock.advance(2.5)
        self.assertEqual(self.states, [])
        self.server.answers["CONFIG GET"] = [b"appendonly", b"yes", b"appendfsync", b"everysec"]
        self.clock.advance(2.5)
        reason = "--durability full needs appendonly yes and appendfsync always"
        self.assertEqual(self.states, [LinkState(False, reason)])
        self.assertEqual(self.server.names().count("renew"), 2)
        self.server.answers.clear()
        self.clock.advance(0.1)
        self.assertIs(self.states[-1].is_up, True)
        self.close()

    def test_fault_of_a_beat(self):
        """A fault of the program in a heartbeat is logged, and the node attaches anew."""

        async def beat(attachment):
            raise ZeroDivisionError

        self.link.beats.append(beat)
        self.link.start()
        self.clock.advance(2.5)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(self.states[-1].is_up, False)
        self.link.beats.clear()
        self.clock.advance(0.1)
        self.assertIs(self.states[-1].is_up, True)
        self.close()

    def test_refused_beat(self):
        """A heartbeat that Redis refuses is no fault of the program."""

        async def beat(attachment):
            raise StoreError("OOM no memory")

        self.link.beats.append(beat)
        self.link.start()
        self.clock.advance(2.5)
        self.assertEqual(self.states, [LinkState(False, "OOM no memory")])
        self.close()

    def test_unexamined(self):
        """A renewal that cannot be examined ends the attachment, too."""
        self.link.start()
        self.server.answers["INFO server"] = RefusedError("NOPERM not allowed")
        self.clock.advance(2.5)
        self.assertEqual(self.states[0].reason, "NOPERM not allowed")
        self.close()


class ChannelTests(LinkCase):
    def test_heard(self):
        """A channel is heard from the call on, at each attachment, until it is given up."""
        self.link.start()
        heard: list[bytes] = []
        self.successResultOf(Deferred.fromCoroutine(self.link.on_push("room", heard.append)))

        def push(data):
            self.server.connections[-1].on_push(b"{chatd}c:g:room", data)

        push(b"1")
        self.link.attachment.end("for a test")
        self.clock.advance(0.1)
        push(b"2")
        self.link.off_push("room")
        push(b"3")
        self.assertEqual(heard, [b"1", b"2"])
        self.close()
        self.link.off_push("room")

    def test_dropped(self):
        """A push that cannot be read is dropped, with one line in the log."""
        self.link.start()

        def refuse(data):
            raise StoreError("a push is not in chatd's format")

        self.successResultOf(Deferred.fromCoroutine(self.link.on_push("room", refuse)))
        with capturedLogs() as events:
            self.server.connections[-1].on_push(b"{chatd}c:g:room", b"garbage")
        (event,) = events
        self.assertIn("is dropped: a push is not in chatd's format", formatEvent(event))
        self.assertEqual(self.states, [])
        self.close()

    def test_not_heard(self):
        """A channel that cannot be heard now is heard at the next attachment."""
        self.link.start()
        self.patch(Connection, "subscribe", lambda self, channels: fail(LostError("Lost")))
        heard: list[bytes] = []
        on_push = Deferred.fromCoroutine(self.link.on_push("room", heard.append))
        self.failureResultOf(on_push, StoreError)
        self.close()
