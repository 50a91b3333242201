"""The calls, the questions and the channels of the link to Redis, and how long they wait."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs, formatEvent

from chatd.backplane.redis.connections import LostError, RefusedError
from chatd.errors import StoreError
from tests.backplane.redis.linkcase import SCRIPT, Connection, LinkCase


class WaitingTests(LinkCase):
    def assert_fails_after(self, seconds, call):
        """Check that a call waits for so long, to half a second, and then fails."""
        self.clock.pump([0.5] * int(2 * seconds - 1))
        self.assertNoResult(call)
        self.clock.advance(0.5)
        return self.failureResultOf(call, StoreError).value

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
        error = self.assert_fails_after(5.0, call)
        self.assertEqual(str(error), "the link to the backplane is lost: connection refused")
        self.close()

    def test_patience_with_the_loss(self):
        """Calls wait together, from the loss on; later calls fail at once until the link works."""
        self.link.start()
        self.server.refusals = 1000
        self.link.attachment.end("for a test")
        self.clock.pump([0.5] * 8)
        call = self.call()
        self.clock.advance(0.5)
        self.assertNoResult(call)
        self.clock.advance(0.5)
        for each in (call, self.call()):
            self.failureResultOf(each, StoreError)
        self.server.refusals = 0
        self.clock.pump([1.0] * 6)
        self.assertEqual(self.successResultOf(self.call()), 1)
        self.link.attachment.end("for a test")
        call = self.call()
        self.assertNoResult(call)
        self.clock.advance(1.0)
        self.assertEqual(self.successResultOf(call), 1)
        self.close()

    def test_patience_anew(self):
        """After a loss that was shorter, the next loss has its whole patience."""
        self.link.start()
        self.server.refusals = 1
        self.link.attachment.end("for a test")
        self.clock.pump([0.5] * 4)
        self.assertEqual(self.successResultOf(self.call()), 1)
        self.server.refusals = 1000
        self.link.attachment.end("for a test")
        call = self.call()
        self.assert_fails_after(5.0, call)
        self.close()

    def test_lost_with_the_first_call(self):
        """An attachment that ends with a call that waited is a loss, from which calls wait."""
        first = Deferred.fromCoroutine(self.link.attached())
        first.addCallback(lambda attachment: attachment.end("for a test"))
        self.link.start()
        self.server.refusals = 1000
        self.successResultOf(first)
        self.clock.pump([0.5] * 8)
        call = self.call()
        self.assert_fails_after(1.0, call)
        self.close()

    def test_silence(self):
        """After a silence that ends the link, calls fail at once until it works again."""
        self.link.start()
        self.server.hears_probes = False
        self.server.silent = {"privaterooms", "renew"}
        self.server.refusals = 3
        call = self.call()
        self.clock.pump([self.link.times.heartbeat_s] * 3)
        late = self.failureResultOf(self.call(), StoreError).value
        self.assertEqual(str(late), "the link to the backplane is lost: the backplane is silent")
        self.server.silent, self.server.hears_probes = set(), True
        self.clock.pump([0.1] * 20)
        self.assertEqual(self.successResultOf(self.call()), 1)
        self.assertNoResult(call)
        self.close()

    def test_silent_subscription(self):
        """If commands were answered until now, calls wait as with any loss."""
        self.link.start()
        self.server.hears_probes = False
        self.server.refusals = 1000
        self.clock.pump([self.link.times.heartbeat_s] * 3)
        self.assertIsNone(self.link.attachment)
        call = self.call()
        self.assert_fails_after(5.0, call)
        self.close()

    def test_silent_in_part(self):
        """The patience counts from the beginning of the silence of the commands."""
        self.link.start()
        self.server.hears_probes = False
        self.server.refusals = 1000
        self.clock.advance(self.link.times.heartbeat_s)
        self.server.silent = {"renew"}
        self.clock.pump([self.link.times.heartbeat_s] * 2)
        call = self.call()
        self.assert_fails_after(2.5, call)
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

    def test_closed_by_a_call(self):
        """A call that waited can end the link; then the calls behind it fail."""
        first = Deferred.fromCoroutine(self.link.attached())
        closed: list[Deferred[None]] = []

        def close(_):
            closed.append(Deferred.fromCoroutine(self.link.close()))

        first.addCallback(close)
        second = self.call()
        self.link.start()
        self.successResultOf(closed[0])
        self.assertIsNone(self.successResultOf(first))
        self.failureResultOf(second, StoreError)
        self.assertEqual(self.states, [])
        self.close()

    def test_lost_in_flight(self):
        """A call without an answer fails when the connection is lost."""
        self.link.start()
        self.server.answers["privaterooms"] = LostError("Lost connection")
        self.failureResultOf(self.call(), StoreError)
        self.close()


class RepeatedTests(LinkCase):
    """What may be done twice, because it only reads, or Redis knows what it has done."""

    def setUp(self):
        super().setUp()
        self.link.start()

    def begin(self):
        return Deferred.fromCoroutine(
            self.link.repeat_if_lost(lambda attachment: attachment.call(SCRIPT))
        )

    def lose(self):
        self.link.attachment.end("for a test")
        self.server.answer(LostError("Lost connection"))

    def times(self):
        return self.server.names().count("privaterooms")

    def test_lost(self):
        """It is done again at the next attachment if the connection was lost."""
        self.server.held = {"privaterooms"}
        done = self.begin()
        self.lose()
        self.assertNoResult(done)
        self.clock.advance(0.1)
        self.server.answer("done")
        self.assertEqual((self.successResultOf(done), self.times()), ("done", 2))
        self.close()

    def test_lost_again(self):
        """It is done twice at most."""
        self.server.held = {"privaterooms"}
        done = self.begin()
        for _ in range(2):
            self.lose()
            self.clock.advance(0.1)
        self.failureResultOf(done, StoreError)
        self.assertEqual(self.times(), 2)
        self.close()

    def test_refused(self):
        """It is not done again if Redis refused it."""
        self.server.answers["privaterooms"] = RefusedError("OOM no memory")
        self.failureResultOf(self.begin(), StoreError)
        self.assertEqual(self.times(), 1)
        self.close()

    def test_lease_over(self):
        """It is not done again if the lease has ended meanwhile, since it may be out of date."""
        self.server.held = {"privaterooms"}
        done = self.begin()
        self.server.answers["attach"] = [0, [], 0]
        self.lose()
        self.clock.advance(0.1)
        error = self.failureResultOf(done, StoreError).value
        self.assertEqual((str(error), self.times()), ("Lost connection", 1))
        self.close()

    def test_lease_over_in_vain(self):
        """So it is if the attempt that took a new lease failed after that."""
        part = FailingPart()
        self.link.parts.append(part)
        self.server.held = {"privaterooms"}
        done = self.begin()
        part.failures = 1
        self.server.answers["attach"] = [0, [], 0]
        self.lose()
        self.clock.advance(0.1)
        del self.server.answers["attach"]
        self.clock.pump([0.1] * 10)
        self.assertEqual(part.had_lease, [False, False])
        self.failureResultOf(done, StoreError)
        self.lose()
        self.clock.pump([0.1] * 10)
        self.assertEqual(part.had_lease, [False, False, True])
        self.close()

    def test_lease_unknown(self):
        """So it is if the answer about the lease was lost."""
        part = FailingPart()
        self.server.held = {"privaterooms"}
        self.link.parts.append(part)
        done = self.begin()
        self.server.answers["attach"] = LostError("Lost connection")
        self.lose()
        self.clock.advance(0.1)
        del self.server.answers["attach"]
        self.clock.pump([0.1] * 10)
        self.assertEqual(part.had_lease, [False])
        self.failureResultOf(done, StoreError)
        self.close()


class FailingPart:
    """A part that fails at some attachments, and records whether each had the lease.

    Attributes:
        failures: How often it fails yet.
        had_lease: Whether each attachment had the lease.
    """

    def __init__(self):
        self.failures = 0
        self.had_lease = []

    async def attach(self, attachment):
        self.had_lease.append(attachment.had_lease)
        if self.failures:
            self.failures -= 1
            raise StoreError("for a test")

    async def leave(self, attachment):
        pass


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
