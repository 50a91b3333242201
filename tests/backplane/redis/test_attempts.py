"""The attempts of a link to attach to Redis: when they come, and how they end."""

import re

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, formatEvent

from chatd.backplane.redis.connections import LostError, RefusedError
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.outage import MAX_REFUSALS
from chatd.errors import StoreError
from tests.backplane.redis.linkcase import REPLICATION, SCRIPT, Connection, LinkCase
from tests.docs.pages import first_cells, page, section


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

    def test_closed_between_attempts(self):
        """Whoever waits for the next attempt hears that there is none any more."""
        self.server.refusals = 1000
        self.link.start()
        waiting = self.link.first_attempt()
        self.close()
        error = self.failureResultOf(waiting, StoreError).value
        self.assertEqual(str(error), "the backplane is closed")

    def refuse_a_call(self, reason):
        """Let the server refuse a call that nobody waits for."""
        self.server.answers["privaterooms"] = RefusedError(reason)
        self.link.cast(SCRIPT)
        self.server.answers.clear()

    def test_refusals(self):
        """Refusals are bounded; calls that fail in an outage are in no line of their own."""
        self.link.start()
        with capturedLogs() as events:
            for number in range(2 * MAX_REFUSALS):
                self.refuse_a_call(f"refusal {number}")
            self.assertEqual(len(events), MAX_REFUSALS)
            self.server.refusals = 1000
            self.link.attachment.end("the connection is lost")
            for _ in range(3):
                self.link.cast(SCRIPT)
            self.clock.advance(60.0)
        lines = [formatEvent(event) for event in events][MAX_REFUSALS:]
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, "^the backplane (still )?cannot be used: ")
        self.close()

    def test_reasons(self):
        """Each reason is in the log once, however many attempts or calls fail for it."""
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
            for _ in range(3):
                self.refuse_a_call("OOM")
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
                "the backplane refused a call: OOM",
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

    def test_one_connection(self):
        """A node that gets only one of its two connections closes it."""
        made: list[Connection] = []

        async def dial(make):
            if made:
                raise StoreError("too many connections")
            made.append(await self.server.dial(make))
            return made[0]

        self.link = Link(self.clock, dial)
        self.link.linked = self.states.append
        self.link.start()
        self.assertEqual(self.states[-1].reason, "too many connections")
        self.assertTrue(made[0].is_lost)
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

    def test_fault_of_a_listener(self):
        """A fault in what hears of an attachment is logged, and calls wait for the next one."""

        def hear(others):
            raise ZeroDivisionError

        self.link.others_changed = hear
        self.server.answers["attach"] = [0, [b"node", b"details"], 1]
        self.link.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        call = self.call()
        self.assertNoResult(call)
        self.assertTrue(all(connection.is_lost for connection in self.server.connections))
        self.link.others_changed = lambda others: None
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(call), 1)
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
