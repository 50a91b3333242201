"""A foreign peer breaks the rules: refusals, their form, and their effect on others."""

import random
from contextlib import closing

from tests.integration.peer import LENGTH, PREAMBLE, PRELUDE, Refused, Type
from tests.integration.peer_case import KEY, OverWebSocket, PeerMixin, PeerTestCase
from tests.wire.hostile import FIELDS, HEADER_START, fields_of, flipped
from tests.wire.hostile_json import BAD_HEADERS

HEADER = {"id": "fault"}
CONTENT = b"content"

GARBAGE = {
    "HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
    "TLS hello": bytes.fromhex("160301006c010000680303") + bytes(range(97)),
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "text lines": b"hello\nis anybody there\n" * 20,
    "random bytes": random.Random(1).randbytes(4096),
    "preambles": PREAMBLE * 4,
}


class FaultPromises(PeerMixin):
    """The promises about faults in frames, over any carrier."""

    def assert_answered_and_closed(self, data):
        """Check the answer to bytes that are not a frame."""
        raise NotImplementedError

    def test_each_field_flipped(self):
        """The daemon refuses each flipped field by its name; another session sees the leaving."""
        bystander = self.join()
        seq = bystander.say("before").header["seq"]
        data = bystander.encoded(Type.MESSAGE, HEADER, CONTENT)
        fields = fields_of(data, len(CONTENT))
        places = [(0, "too-large"), (3, "bad-length")]  # bytes of the length itself
        places += [(field.start, field.code) for field in fields.values()]
        places += [(field.end - 1, field.code) for field in fields.values()]
        for offset, code in places:
            faulty = self.join()
            faulty.write(flipped(data, offset) + faulty.encoded(Type.MESSAGE, {"id": "never"}))
            with self.subTest(offset=offset):
                self.assert_refused(faulty, code)
                bystander.expect(Type.EVENT, event="left", name=faulty.name)
                seq += 1
                self.assertEqual(bystander.say(f"after {offset}").header["seq"], seq)

    def test_header_that_is_no_object(self):
        """A signed header that is not a JSON object in UTF-8 ends the connection."""
        for name, header in BAD_HEADERS.items():
            peer = self.join()
            peer.send(Type.MESSAGE, header)
            with self.subTest(header=name):
                self.assert_refused(peer, "bad-header")

    def test_header_over_the_limit(self):
        """The daemon reads a header of 64 KiB, and refuses a header of a byte more."""
        peer = self.join()
        peer.send(Type.MESSAGE, b'{"id": "most"}'.ljust(64 * 1024))
        peer.expect(Type.MESSAGE, id="most")
        peer.send(Type.MESSAGE, b'{"id": "more"}'.ljust(64 * 1024 + 1))
        self.assert_refused(peer, "too-large")

    def test_frame_over_the_limit(self):
        """The daemon refuses a frame over the limits at its length prefix."""
        peer = self.join()
        peer.write(LENGTH.pack(64 + 64 * 1024 + peer.init["max_content"] + 1))
        self.assert_refused(peer, "too-large")

    def test_refused_at_its_start(self):
        """The daemon keeps no buffer for a frame that it refuses by its first bytes."""
        data = self.connect().encoded(Type.MESSAGE, HEADER, bytes(1024 * 1024))
        for field in ("magic", "version", "header length", "content length"):
            peer = self.join()
            peer.write(flipped(data[:HEADER_START], FIELDS[field].start))
            with self.subTest(field=field):
                self.assert_refused(peer, FIELDS[field].code)

    def test_answer_to_a_long_header(self):
        """An error never becomes too long by quoting a frame."""
        peer = self.join()
        most = "x" * (64 * 1024 - 40)
        for type_, header in (
            (99, {"id": most}),
            (Type.RESULT, {"id": most}),
            (Type.MESSAGE, {"id": most}),
            (Type.MESSAGE, {"id": "long", "room": most}),
            (Type.COMMAND, {"id": "long", "command": most}),
        ):
            peer.send(type_, header)
            peer.expect(Type.ERROR)
        peer.say("on")

    def test_8_kib_before_the_session(self):
        """Before the session, the daemon reads a frame of 8 KiB, and refuses a longer frame."""
        peer = self.connect()
        peer.begin()
        size = LENGTH.size + 8 * 1024 - HEADER_START
        session = f'{{"session_id": "{peer.init["session_id"]}"}}'.encode()
        peer.send(Type.SESSION_ACK, session.ljust(size))
        peer.expect(Type.EVENT, event="welcome")
        late = self.connect()
        late.begin()
        late.write(LENGTH.pack(8 * 1024 + 1))
        self.assert_refused(late, "too-large")

    def test_cut_short(self):
        """The daemon forgets a peer that vanishes in the middle of a handshake."""
        peer = self.connect()
        peer.begin()
        data = peer.encoded(Type.SESSION_ACK, {"session_id": peer.init["session_id"]})
        peer.write(data[:40])
        peer.close()
        self.join().say("on")

    def test_garbage(self):
        """The daemon answers and closes bytes of another protocol, and serves the next peer."""
        bystander = self.join()
        for kind, data in GARBAGE.items():
            with self.subTest(kind=kind):
                self.assert_answered_and_closed(data)
                bystander.say(f"after {kind}")
                self.join()

    def answer_to(self, data):
        """Return the daemon's whole answer to these bytes, until it closes."""
        with closing(self.open_stream(self.daemon.path)) as stranger:
            stranger.sendall(data)
            answer = b""
            while piece := stranger.recv(65536):
                answer += piece
        return answer


class PlainFaultPromises(FaultPromises):
    """Without a key."""

    def assert_answered_and_closed(self, data):
        """Check that SESSION_INIT, one ERROR and DISCONNECT are the whole answer."""
        answer = self.answer_to(data)
        types = []
        while answer:
            (size,) = LENGTH.unpack_from(answer)
            types.append(PRELUDE.unpack_from(answer, LENGTH.size)[2])
            answer = answer[LENGTH.size + size :]
        self.assertEqual(types, [Type.SESSION_INIT, Type.ERROR, Type.DISCONNECT])

    def test_client_with_a_key(self):
        """A client with a key sees that the daemon has none; the daemon refuses its handshake."""
        with self.assertRaisesRegex(Refused, "has no key"):
            self.peer(KEY)
        self.assert_answered_and_closed(b"\x00\x30" + random.Random(2).randbytes(48))


class SealedFaultPromises(FaultPromises):
    """With a key."""

    key = KEY

    def assert_answered_and_closed(self, data):
        """Check that preamble and handshake message are the whole answer."""
        answer = self.answer_to(data)
        self.assertEqual(answer[: len(PREAMBLE)], PREAMBLE)
        self.assertEqual(len(answer), len(PREAMBLE) + 2 + 48)

    def test_client_without_a_key(self):
        """A client without a key sees that the daemon has one; the daemon refuses its frames."""
        with self.assertRaisesRegex(Refused, "has a key"):
            self.peer(None)
        plain = self.join()
        plain.key = bytes(32)
        self.assert_answered_and_closed(plain.encoded(Type.SESSION_ACK, {"session_id": ""}))

    def test_client_with_another_key(self):
        """A client with another key notices; the daemon refuses any answer of that client."""
        with self.assertRaisesRegex(Refused, "another key"):
            self.peer(bytes(32))
        self.assert_answered_and_closed(b"\x00\x30" + random.Random(3).randbytes(48))

    def test_envelope_of_another_key(self):
        """Inside the channel, too, a frame must be signed with the key."""
        peer = self.join()
        peer.key = bytes(32)
        peer.send(Type.MESSAGE, HEADER)
        peer.key = KEY
        self.assert_refused(peer, "bad-mac")

    def message(self, peer, id_="m"):
        """Return a record with one message."""
        (record,) = peer.sealed(peer.encoded(Type.MESSAGE, {"id": id_}))
        return record

    def assert_record_refused(self, tamper):
        """Check that a function's bad records end only this connection."""
        bystander, peer = self.join(), self.join()
        peer.socket.sendall(tamper(peer))
        self.assert_refused(peer, "bad-record")
        bystander.expect(Type.EVENT, event="left", name=peer.name)
        bystander.say("on")

    def test_replayed(self):
        """A repeated record ends the connection."""
        peer = self.join()
        record = self.message(peer)
        peer.socket.sendall(record)
        peer.expect(Type.MESSAGE)
        peer.socket.sendall(record)
        self.assert_refused(peer, "bad-record")

    def test_reordered(self):
        """A record that overtakes another ends the connection; the daemon delivers neither."""

        def tamper(peer):
            first, second = self.message(peer, "one"), self.message(peer, "two")
            return second + first

        self.assert_record_refused(tamper)

    def test_left_out(self):
        """A record after a missing record ends the connection."""

        def tamper(peer):
            self.message(peer, "lost")
            return self.message(peer)

        self.assert_record_refused(tamper)

    def test_truncated(self):
        """A record cut short, with a matching length, ends the connection."""
        for size in (0, 1, 15, 16, 90):

            def tamper(peer, size=size):
                return size.to_bytes(2, "big") + self.message(peer)[2 : 2 + size]

            with self.subTest(size=size):
                self.assert_record_refused(tamper)

    def test_flipped(self):
        """A flipped bit anywhere in a record ends the connection."""
        for offset in (2, 40, -1):

            def tamper(peer, offset=offset):
                return flipped(self.message(peer), offset)

            with self.subTest(offset=offset):
                self.assert_record_refused(tamper)

    def test_record_of_another_connection(self):
        """The daemon refuses a record of another connection."""
        other = self.join()
        self.assert_record_refused(lambda peer: self.message(other))


class PlainFaultTests(PlainFaultPromises, PeerTestCase):
    """Over a socket, without a key."""


class SealedFaultTests(SealedFaultPromises, PeerTestCase):
    """Over a socket, with a key."""


class PlainWebSocketFaultTests(OverWebSocket, PlainFaultPromises, PeerTestCase):
    """Over a WebSocket, without a key."""


class SealedWebSocketFaultTests(OverWebSocket, SealedFaultPromises, PeerTestCase):
    """Over a WebSocket, with a key."""
