"""The heartbeats of a link to Redis, and the probes that come back."""

from chatd.backplane.interface import LinkState
from chatd.backplane.redis.connections import RefusedError
from chatd.backplane.redis.link import Link
from chatd.errors import StoreError
from chatd.storage.values import Durability
from tests.backplane.redis.linkcase import LinkCase


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
