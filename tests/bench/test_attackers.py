"""The attackers: the data that each kind sends, and its effect on a server."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from bench.attack import attack
from bench.attackers import (
    DRIP_S,
    FLOOD,
    FLOODS_UNREAD,
    KINDS,
    Attack,
    Attacker,
    Babbler,
    Boaster,
    Dripper,
    Flooder,
    Quitter,
)
from chatd.connection.events import AdmissionAsked, Ended, Faulted
from chatd.connection.server import ServerConnection
from chatd.connection.states import State
from chatd.wire.channel import ClearChannel, SecureChannel
from chatd.wire.codec import Codec
from chatd.wire.keys import noise_psk
from chatd.wire.messages import SessionInit

KEYS = (None, bytes(range(32)))


def task(key, **options):
    """Return a task without a server."""
    given = {"host": "127.0.0.1", "port": 1, "count": 0, "wave": 10, "hold_s": 0.0, **options}
    return Attack(key=key, **given)


class Victim:
    """A server without a socket, and its attacker."""

    def __init__(self, case, kind, key, number):
        self.attacker = kind(number, task(key))
        case.addCleanup(self.attacker.link.close)
        channel = ClearChannel() if key is None else SecureChannel(noise_psk(key), initiator=True)
        init = SessionInit(session_id="s", heartbeat=5.0)
        self.session = ServerConnection(Codec(key), channel, init, 0.0)
        self.sent = b""
        self.faults = []
        self.has_goodbye = False

    def converse(self):
        """Let both sides talk until neither has more to send."""
        while True:
            data = self.session.data_to_send()
            if data and self.attacker.is_reading:
                self.attacker.receive(data)
                self.attacker.has_heard = True
            taken = self.take()
            if not data and not taken:
                return

    def take(self):
        """Take the attacker's data; return its length."""
        data = bytes(self.attacker.to_send)
        self.attacker.to_send = memoryview(b"")
        self.sent += data
        self.session.receive_data(data)
        for event in self.session.events():
            if isinstance(event, AdmissionAsked):
                rooms = [{"room": room} for room in event.ack.rooms or ()]
                self.session.admit(event.ack.name or "", rooms)
            elif isinstance(event, Faulted):
                self.faults.append(event.error.code)
            elif isinstance(event, Ended):
                self.has_goodbye = True
        if data:
            self.attacker.sent()
        return len(data)


class AttackersTests(SynchronousTestCase):
    def victims(self, kind, number=0):
        """The results with a server with a key, and with a server without."""
        for key in KEYS:
            victim = Victim(self, kind, key, number)
            victim.converse()
            yield victim

    def test_silent(self):
        """A silent attacker sends nothing."""
        for victim in self.victims(Attacker):
            self.assertEqual(victim.sent, b"")
            self.assertFalse(victim.session.is_over)

    def test_babbler(self):
        """A babbler sends nonsense, which the server reports as an error."""
        for victim in self.victims(Babbler):
            self.assertEqual(len(victim.sent), 16 * 1024)
            self.assertEqual(len(victim.faults), 1)

    def test_boaster(self):
        """A boaster announces a frame over the limit, with a key after the handshake."""
        for victim in self.victims(Boaster):
            self.assertEqual(victim.faults, ["too-large"])

    def test_quitter(self):
        """A quitter hangs up in the handshake or in its first frame, without any error."""
        for number in (0, len(KINDS)):
            for victim in self.victims(Quitter, number):
                self.assertTrue(victim.attacker.is_over)
                self.assertGreater(len(victim.sent), 0)
                self.assertEqual(victim.faults, [])
                self.assertFalse(victim.session.is_established)
                victim.session.connection_lost()
                self.assertIn("cut inside a frame", victim.session.end_reason.reason)

    def test_dripper(self):
        """A dripper sends a byte at a time, when it is due, and never the last byte."""
        for victim in self.victims(Dripper):
            sent = 0
            for step in range(1_000):
                victim.attacker.tick(100.0 + step * DRIP_S)
                victim.attacker.tick(100.0 + (step + 0.5) * DRIP_S)
                self.assertLessEqual(len(victim.attacker.to_send), 1)
                sent += victim.take()
            self.assertGreater(sent, 40)
            self.assertEqual(victim.faults, [])
            self.assertFalse(victim.session.is_established)
            self.assertFalse(victim.session.is_over)

    def test_flooder_who_reads(self):
        """A reading flooder sends frames that a session survives, and says goodbye."""
        for kind in (4, 5, 6):
            for victim in self.victims(Flooder, kind * len(KINDS)):
                self.assertTrue(victim.has_goodbye, kind)
                self.assertEqual(victim.faults, [])
                self.assertGreater(len(victim.sent), FLOOD * 64)

    def test_flooder_who_does_not(self):
        """A flooder that does not read floods several times after its welcome."""
        for kind in (0, 1, 2):
            for victim in self.victims(Flooder, kind * len(KINDS)):
                self.assertFalse(victim.attacker.is_reading)
                self.assertFalse(victim.has_goodbye)
                self.assertGreater(len(victim.sent), FLOODS_UNREAD * FLOOD * 64)

    def test_damaged(self):
        """A damaged frame ends the flooder's session."""
        for kind in (3, 7):
            for victim in self.victims(Flooder, kind * len(KINDS)):
                self.assertEqual(victim.faults, ["bad-crc"])
                self.assertIn(victim.session.state, (State.FAULTED, State.CLOSING))


class AssaultTests(SynchronousTestCase):
    def test_nobody_there(self):
        """If no server listens, all attackers end at once without an answer."""
        with socket.socket() as taken:  # bound, so that no other process has it, but not listening
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            outcome = attack(task(None, port=port, count=14, wave=7, hold_s=30.0))
        self.assertEqual(outcome.connected, 0)
        self.assertEqual(sum(outcome.outlasted.values()), 0)
