"""Tests of a daemon that loses its link to the backplane."""

from twisted.logger import capturedLogs, formatEvent

from chatd.backplane.interface import LinkState
from chatd.chat.policy import Policy
from chatd.errors import ConfigurationError, RequestError
from tests.backplane.daemons import DaemonsCase


class LinkTests(DaemonsCase):
    def setUp(self):
        super().setUp()
        self.ann = self.connect(self.one, "ann")
        self.bob = self.connect(self.two, "bob")
        self.forget(self.ann, self.bob)

    def test_short(self):
        """Sessions outlive a short loss of the link, and hear all that was said meanwhile."""
        self.here.lose_link()
        failed = self.ann.send("hello?", id="1")
        self.pump()
        self.assertEqual(self.failureResultOf(failed, RequestError).value.code, "not-stored")
        self.say(self.bob, "one")
        self.advance(29.0)
        self.here.restore_link()
        self.advance(60.0)
        self.say(self.ann, "two", id="1")
        self.assertEqual(self.ann.texts, ["one", "two"])
        self.assertEqual(self.ann.texts, self.bob.texts)
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_outage_told_whole(self):
        """When the link works again, the log counts its failures, and later has their end alone."""
        self.here.lose_link()
        with capturedLogs() as events:
            for number in range(3):
                sent = self.ann.send("hello?", id=str(number))
                self.advance(1.0)
                self.failureResultOf(sent, RequestError)
            self.here.restore_link()
            self.here.listener.linked(LinkState(True))
            self.advance(0.0)
            told = [formatEvent(event) for event in events]
            self.say(self.ann, "hello", id="again")
            self.advance(100.0)
        failures = [line for line in told if "failure" in line or "failed" in line]
        self.assertRegex(
            failures[-1], r"^past failures of the store: .* \(2 more, the last \d s ago\)$"
        )
        later = [formatEvent(event) for event in events][len(told) :]
        self.assertEqual([line for line in later if "store" in line], ["the store works again"])

    def test_long(self):
        """When the patience is over, the sessions end, and their clients may come back."""
        self.here.lose_link()
        self.here.listener.linked(LinkState(False))
        self.advance(29.0)
        self.assertTrue(self.ann.is_active)
        self.advance(2.0)
        self.assertEqual(self.end_of(self.ann), ("not-stored", True))
        self.assertEqual(
            self.ann.connection.end_reason.reason,
            "this server has lost its link to the other servers",
        )
        self.assertTrue(self.bob.is_active)
        self.assertEqual(self.refused(self.one, "cat"), "not-stored")

    def test_stop(self):
        """A stopped server has no timer left."""
        self.here.lose_link()
        self.one.factory.shut_down()
        self.advance(10.0)
        self.assertEqual(self.one.clock.getDelayedCalls(), [])

    def test_lease_lost(self):
        """A daemon that attaches anew has its names and its people in rooms again."""
        self.do(self.ann.away("lunch"))
        self.here.lose_link(lease=True)
        self.pump()
        self.assertEqual(self.do(self.bob.who("lobby")), ["bob"])
        self.here.restore_link()
        self.pump()
        self.assertTrue(self.ann.is_active)
        self.assertEqual(self.do(self.bob.who("lobby")), ["ann", "bob"])
        self.say(self.bob, "hello?", to="ann")
        self.assertEqual([each["text"] for each in self.bob.take("away")], ["lunch"])

    def test_topic_of_the_meantime(self):
        """A topic that was set while the link was lost is the room's topic afterwards."""
        self.here.lose_link()
        self.do(self.bob.topic("lobby", "tea"))
        self.here.restore_link()
        self.assertEqual(self.do(self.ann.topic("lobby")), "tea")

    def test_name_lost(self):
        """A session whose name was taken while the lease was lost ends; the new one goes on."""
        cat = self.connect(self.one, "cat")
        self.here.lose_link(lease=True)
        ann = self.connect(self.two, "ann")
        self.here.restore_link()
        self.assertEqual(self.end_of(self.ann), ("name-taken", False))
        self.assertEqual(
            self.ann.connection.end_reason.reason,
            "another session took the name while this server had no link to the other servers",
        )
        self.assertTrue(ann.is_active and cat.is_active)
        self.assertEqual(len(self.shared.names["ann"]), 1)
        self.assertEqual(self.do(cat.who("lobby")), ["ann", "bob", "cat"])

    def test_name_lost_before_the_session(self):
        """A client whose claimed name was taken before its session began is refused."""
        opened = self.here.open_stream

        async def open_and_lose(stream, name):
            self.here.lose_link(lease=True)
            self.connect(self.two, "cat")
            self.here.restore_link()
            return await opened(stream, name)

        self.here.open_stream = open_and_lose
        self.assertEqual(self.refused(self.one, "cat", rooms=("attic",)), "name-taken")

    def test_patience(self):
        """The patience is a number of seconds, 0 or more."""
        self.assertRaises(ConfigurationError, Policy, link_patience_s=-1.0)
