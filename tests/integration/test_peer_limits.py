"""A foreign peer that is silent, slow, over a limit, or connected when the daemon stops."""

import select
import signal
import threading

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.peer import Closed, Peer, Type
from tests.integration.peer_case import KEY, Daemon, OverWebSocket, PeerMixin, PeerTestCase


class HeartbeatPromises(PeerMixin):
    """The promises about heartbeats, over any carrier."""

    options = ("--heartbeat", "0.4")

    def test_silent_peer(self):
        """A peer that is silent for three intervals is disconnected; an answering peer stays."""
        answering, silent = self.join(), self.join()
        self.assertEqual(silent.init["heartbeat"], 0.4)
        answering.expect(Type.EVENT, event="left", name=silent.name)
        answering.say("still-here")
        pings, last = [], None
        while last is None:
            got = silent.receive()
            if got.type == Type.HEARTBEAT:
                self.assertEqual(got.content, b"ping")
                pings.append(got.header["n"])
            elif got.type != Type.EVENT:
                last = got
        self.assertGreaterEqual(len(pings), 2)
        self.assertEqual(pings, sorted(set(pings)))
        self.assertEqual(last.type, Type.DISCONNECT)
        self.assertEqual(set(last.header), {"code", "reason", "retry"})
        self.assertEqual(last.header["code"], "heartbeat-timeout")
        self.assertIs(last.header["retry"], True)
        self.assertRaises(Closed, silent.receive)

    def test_client_pings(self):
        """The daemon answers a client's ping with a pong of the same number."""
        peer = self.join()
        for n in (0, 77, 2**40):
            peer.send(Type.HEARTBEAT, {"n": n}, b"ping")
            got = peer.receive()
            while got.content != b"pong":
                got = peer.receive()
            self.assertEqual((got.type, got.header), (Type.HEARTBEAT, {"n": n}))


class PlainHeartbeatTests(HeartbeatPromises, PeerTestCase):
    """Without a key."""

    def test_any_frame_is_a_sign_of_life(self):
        """A peer that sends messages without pongs is not silent."""
        talking, silent = self.join(), self.join()
        left = {"event": "left", "name": silent.name}
        said = 0
        while not left.items() <= (got := talking.receive()).header.items():
            if got.type == Type.HEARTBEAT:
                talking.send(Type.MESSAGE, {"id": f"alive-{said}"})
                said += 1
        self.assertGreaterEqual(said, 2)
        talking.send(Type.MESSAGE, {"id": "last"})
        while talking.receive().header.get("id") != "last":
            pass


class SealedHeartbeatTests(HeartbeatPromises, PeerTestCase):
    """With a key."""

    key = KEY


class WebSocketHeartbeatTests(OverWebSocket, HeartbeatPromises, PeerTestCase):
    """Over a WebSocket."""


class ContentLimitTests(PeerTestCase):
    """The operator's limit on content."""

    options = ("--max-content", "1000")

    def test_limit(self):
        """The daemon announces the limit, delivers content at the limit, and refuses more."""
        peer = self.join()
        self.assertEqual(peer.init["max_content"], 1000)
        self.assertEqual(peer.say("most", bytes(1000)).content, bytes(1000))
        peer.send(Type.MESSAGE, {"id": "more"}, bytes(1001))
        self.assert_refused(peer, "too-large")


class SlowConsumerPromises(PeerMixin):
    """A member that does not read, with a daemon that does not ping during the test."""

    options = ("--heartbeat", "600")

    def test_slow_consumer(self):
        """The daemon disconnects a member that does not read, with `retry`; others miss nothing."""
        sender, reader, slow = self.join(), self.join(), self.join()
        left = {"event": "left", "room": slow.welcome["room"], "name": slow.name}
        seqs: list[int] = []
        has_left = False
        while not has_left:
            sender.send(Type.MESSAGE, {"id": f"load-{len(seqs)}"}, bytes(1024 * 1024))
            while (got := sender.receive()).type != Type.MESSAGE:
                has_left = has_left or got.header == left
            self.assertEqual(reader.expect(Type.MESSAGE), got)
            seqs.append(got.header["seq"])
            self.assertLess(len(seqs), 300)
        self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))))
        last = slow.rest()[-1]
        self.assertEqual(last.type, Type.DISCONNECT)
        self.assertEqual((last.header["code"], last.header["retry"]), ("slow-consumer", True))


class WebSocketSlowPeerTests(OverWebSocket, SlowConsumerPromises, PeerTestCase):
    """Over a WebSocket."""


class SlowPeerTests(SlowConsumerPromises, PeerTestCase):
    """Over a socket."""

    def test_flooding_sender(self):
        """The daemon stops reading from a sender that does not read, and loses no message."""
        peer = self.join()
        count, content = 32, bytes(1024 * 1024)
        unsent = memoryview(
            b"".join(
                peer.encoded(Type.MESSAGE, {"id": f"flood-{n}"}, content) for n in range(count)
            )
        )
        while unsent and select.select([], [peer.socket], [], 1.0)[1]:
            unsent = unsent[peer.socket.send(unsent[:65536]) :]
        self.assertTrue(unsent, "the daemon takes all that is sent")
        writer = threading.Thread(target=peer.socket.sendall, args=(unsent,))
        writer.start()
        self.addCleanup(writer.join)
        receipts = [peer.expect(Type.MESSAGE).header["id"] for _ in range(count)]
        self.assertEqual(receipts, [f"flood-{n}" for n in range(count)])


class ShutdownTests(SynchronousTestCase):
    """The end of the daemon."""

    def check(self, key):
        """Start a daemon, stop it, and check the frames that its peers get."""
        daemon = Daemon(key=key)
        self.addCleanup(daemon.stop)
        peers = [Peer(daemon.path, key) for _ in range(3)]
        for peer in peers:
            self.addCleanup(peer.close)
        peers[0].establish("one")
        peers[1].establish("two")
        peers[2].begin()
        daemon.process.terminate()
        for peer in peers:
            (last,) = peer.rest()
            peer.close()
            self.assertEqual(last.type, Type.DISCONNECT)
            self.assertEqual(last.header["code"], "shutting-down")
            self.assertIs(last.header["retry"], True)
        self.assertEqual(daemon.process.wait(30), -signal.SIGTERM)
        self.assertNotIn("Traceback", daemon.log())

    def test_shutting_down(self):
        """Every client learns that the daemon stops, and that it may reconnect."""
        self.check(None)

    def test_shutting_down_with_a_key(self):
        """Every client learns, inside its channel, that the daemon stops."""
        self.check(KEY)
