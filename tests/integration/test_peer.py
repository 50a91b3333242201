"""A foreign peer talks to the daemon, with a key and without."""

from tests.integration.peer import TIMEOUT_S, Type
from tests.integration.peer_case import KEY, OverWebSocket, PeerMixin, PeerTestCase
from tests.integration.peer_websocket import NORMAL, WebSocket


class SessionPromises(PeerMixin):
    """The promises about sessions, over any carrier."""

    def test_session_init(self):
        """The daemon sends the first frame, with its identity and its limits."""
        init = self.connect().begin()
        self.assertEqual(set(init), {"session_id", "server", "heartbeat", "max_content", "auth"})
        self.assertEqual(init["heartbeat"], 5.0)
        self.assertEqual(init["max_content"], 10 * 1024 * 1024)
        self.assertIs(init["auth"], False)
        self.assertTrue(init["server"].startswith("chatd"))

    def test_welcome(self):
        """The welcome repeats the session's id and name, and gives the room and its place."""
        name = self.name()
        peer = self.join(name)
        self.assertEqual(set(peer.welcome), {"event", "session_id", "name", "room", "rooms"})
        (standing,) = peer.welcome["rooms"]
        self.assertEqual(set(standing) - {"last_id"}, {"room", "epoch", "seq"})
        self.assertEqual(standing["room"], peer.welcome["room"])
        self.assertIs(type(standing["epoch"]), str)
        said = peer.say("next").header
        self.assertEqual(said["seq"], standing["seq"] + 1)
        (standing,) = self.join().welcome["rooms"]
        self.assertEqual((standing["seq"], standing["last_id"]), (said["seq"], said["id"]))
        self.assertEqual(peer.welcome["session_id"], peer.init["session_id"])
        self.assertEqual(peer.welcome["name"], name)

    def test_sessions_have_ids_of_their_own(self):
        """Two connections never have the same session id."""
        self.assertNotEqual(
            self.connect().begin()["session_id"], self.connect().begin()["session_id"]
        )

    def test_name_is_optional(self):
        """An acknowledgement without a name gets a name."""
        peer = self.connect()
        peer.begin()
        peer.acknowledge()
        welcome = peer.expect(Type.EVENT, event="welcome").header
        self.assertTrue(welcome["name"])

    def test_unknown_fields_of_the_acknowledgement(self):
        """The daemon ignores unknown header fields in SESSION_ACK."""
        peer = self.connect()
        peer.begin()
        peer.acknowledge(name=self.name(), hat="red", nested={"a": [1, None]})
        peer.expect(Type.EVENT, event="welcome")

    def test_name_taken(self):
        """The daemon refuses a taken name with ERROR, DISCONNECT and the end."""
        taken = self.join().name
        late = self.connect()
        late.begin()
        late.acknowledge(name=taken)
        self.assert_refused(late, "name-taken")

    def test_name_is_free_again(self):
        """A name is free once its session has ended."""
        watcher, leaver = self.join(), self.join()
        leaver.close()
        watcher.expect(Type.EVENT, event="left", name=leaver.name)
        self.assertEqual(self.join(leaver.name).welcome["name"], leaver.name)

    def test_another_session_id(self):
        """The daemon refuses an acknowledgement of another session."""
        peer, other = self.connect(), self.connect()
        peer.begin()
        peer.init = other.begin()
        peer.acknowledge(name=self.name())
        self.assert_refused(peer, "bad-session")

    def test_message_before_acknowledgement(self):
        """A message before the acknowledgement gets an error, which does not end the session."""
        peer = self.connect()
        peer.begin()
        peer.send(Type.MESSAGE, {"id": "early"}, b"hello?")
        error = peer.expect(Type.ERROR).header
        self.assertEqual((error["code"], error["ref"]), ("unexpected-type", "early"))
        peer.acknowledge(name=self.name())
        peer.expect(Type.EVENT, event="welcome")

    def test_joined_and_left(self):
        """Two peers see each other join and leave, in events that name peer and room."""
        first = self.join()
        second = self.join()
        joined = first.expect(Type.EVENT, event="joined", name=second.name).header
        self.assertEqual(joined["room"], first.welcome["room"])
        first.send(Type.DISCONNECT, {"code": "goodbye", "reason": "", "retry": False})
        self.assertEqual(first.rest(), [])
        left = second.expect(Type.EVENT, event="left", name=first.name).header
        self.assertEqual(left["room"], second.welcome["room"])
        self.assertNotIn("session_id", joined | left)

    def test_left_without_a_word(self):
        """A peer that vanishes in the middle of a frame has left like any other."""
        watcher, leaver = self.join(), self.join()
        leaver.write(leaver.encoded(Type.MESSAGE, {"id": "half"}, b"half a frame")[:-5])
        leaver.close()
        watcher.expect(Type.EVENT, event="left", name=leaver.name)


class MessagePromises(PeerMixin):
    """The promises about messages, over any carrier."""

    def test_receipt(self):
        """The sender's copy is its receipt, with sender, room, place and time."""
        peer = self.join()
        receipt = peer.say("first", "größer".encode())
        expected = {"id", "room", "from", "seq", "time", "content_type"}
        self.assertEqual(set(receipt.header), expected)
        self.assertEqual(receipt.header["from"], peer.name)
        self.assertEqual(receipt.header["room"], peer.welcome["room"])
        self.assertIs(type(receipt.header["seq"]), int)
        self.assertIs(type(receipt.header["time"]), float)
        self.assertEqual(receipt.header["content_type"], "text/plain; charset=utf-8")
        self.assertEqual(receipt.content, "größer".encode())

    def test_everyone_gets_the_same(self):
        """Every member gets the same message as the sender."""
        others = [self.join(), self.join()]
        sender = self.join()
        receipt = sender.say("same", b"\x00\xff", content_type="application/x-thing; a=b")
        self.assertEqual(receipt.header["content_type"], "application/x-thing; a=b")
        for other in others:
            self.assertEqual(other.expect(Type.MESSAGE), receipt)

    def test_room_by_name(self):
        """A message may name the room of the welcome."""
        peer = self.join()
        room = peer.welcome["room"]
        self.assertEqual(peer.say("there", room=room).header["room"], room)

    def test_byte_by_byte(self):
        """A frame may come byte by byte."""
        peer = self.join()
        data = peer.encoded(Type.MESSAGE, {"id": "drop-by-drop"}, b"slowly")
        for byte in b"".join(peer.sealed(data)):
            peer.socket.sendall(bytes([byte]))
        receipt = peer.expect(Type.MESSAGE)
        self.assertEqual((receipt.header["id"], receipt.content), ("drop-by-drop", b"slowly"))

    def test_500_at_once(self):
        """The daemon answers frames in a single write individually and in order."""
        peer = self.join()
        data = b"".join(peer.encoded(Type.MESSAGE, {"id": f"m{n}"}, b"%d" % n) for n in range(500))
        peer.write(data)
        receipts = [peer.expect(Type.MESSAGE) for _ in range(500)]
        self.assertEqual([got.header["id"] for got in receipts], [f"m{n}" for n in range(500)])
        self.assertEqual([got.content for got in receipts], [b"%d" % n for n in range(500)])
        first = receipts[0].header["seq"]
        self.assertEqual([got.header["seq"] for got in receipts], list(range(first, first + 500)))

    def test_3_mib(self):
        """Content of 3 MiB arrives unchanged, at the sender and at the others."""
        other, peer = self.join(), self.join()
        content = bytes(range(256)) * (12 * 1024)
        self.assertEqual(peer.say("big", content).content, content)
        self.assertEqual(other.expect(Type.MESSAGE, id="big").content, content)

    def test_unknown_fields_of_a_message(self):
        """Unknown header fields are ignored, and not passed on."""
        receipt = self.join().say("odd", b"x", hat="red", seq=7, session_id="mine")
        self.assertNotIn("hat", receipt.header)
        self.assertNotIn("session_id", receipt.header)

    def test_unknown_type(self):
        """A frame of unknown type gets an error, and the session goes on."""
        peer = self.join()
        for type_ in (0, 11, 65535):
            peer.send(type_, {"id": "what"}, b"?")
            error = peer.expect(Type.ERROR).header
            self.assertEqual((error["code"], error["ref"]), ("unknown-type", "what"))
        peer.say("on")

    def test_types_that_only_the_server_sends(self):
        """A frame of a type that only servers send gets an error, and the session goes on."""
        peer = self.join()
        for type_, header in ((Type.SESSION_INIT, peer.init), (Type.EVENT, peer.welcome)):
            peer.send(type_, header)
            self.assertEqual(peer.expect(Type.ERROR).header["code"], "unexpected-type")
        peer.send(Type.RESULT, {"id": "mine"})
        error = peer.expect(Type.ERROR).header
        self.assertEqual((error["code"], error["ref"]), ("unexpected-type", "mine"))
        peer.say("on")

    def test_same_id_again(self):
        """A repeated id brings the first receipt again, and no other member gets the message."""
        other, peer = self.join(), self.join()
        first = peer.say("twice", b"once")
        self.assertEqual(peer.say("twice", b"once"), first)
        after = peer.say("after")
        self.assertEqual(after.header["seq"], first.header["seq"] + 1)
        self.assertEqual(other.expect(Type.MESSAGE), first)
        self.assertEqual(other.expect(Type.MESSAGE), after)

    def test_same_id_after_coming_back(self):
        """After a reconnect under the same name, so does the same id."""
        watcher, peer = self.join(), self.join()
        first = peer.say("unsure", b"did it arrive?")
        peer.close()
        watcher.expect(Type.MESSAGE, id="unsure")
        watcher.expect(Type.EVENT, event="left", name=peer.name)
        self.assertEqual(self.join(peer.name).say("unsure", b"did it arrive?"), first)

    def test_longest_id(self):
        """An id has at most 64 characters; a longer id gets an error, and the session goes on."""
        peer = self.join()
        peer.say("ä" * 64)
        peer.send(Type.MESSAGE, {"id": "i" * 65})
        self.assertEqual(peer.expect(Type.ERROR).header["code"], "bad-request")
        peer.say("on")

    def test_unknown_room(self):
        """The daemon answers a message to an unknown room with an error that names it."""
        peer = self.join()
        peer.send(Type.MESSAGE, {"id": "lost", "room": "nowhere-at-all"})
        self.assertEqual(peer.expect(Type.ERROR).header["ref"], "lost")
        peer.say("on")

    def test_unknown_command(self):
        """The daemon answers an unknown command with an error that names it."""
        peer = self.join()
        peer.send(Type.COMMAND, {"id": "c1", "command": "make-tea", "sugar": 2})
        self.assertEqual(peer.expect(Type.ERROR).header["ref"], "c1")
        peer.say("on")


class RecordPromises(PeerMixin):
    """The promises about records, over any carrier."""

    key = KEY

    def test_one_byte_in_a_record(self):
        """A frame may span as many records as it has bytes."""
        peer = self.join()
        data = peer.encoded(Type.MESSAGE, {"id": "thin"}, b"records")
        peer.socket.sendall(b"".join(peer.sealed(data, most=1)))
        self.assertEqual(peer.expect(Type.MESSAGE).content, b"records")

    def test_empty_record(self):
        """A record with no plaintext adds nothing to the frame stream."""
        peer = self.join()
        empty = bytes(peer._channel.encrypt(b""))
        peer.socket.sendall(len(empty).to_bytes(2, "big") + empty)
        peer.say("on")


class WebSocketPromises(OverWebSocket):
    """The promises about the messages of a WebSocket."""

    def test_fragments_of_one_byte(self):
        """A message may come in fragments of one byte, even in the handshakes."""

        class Thin(WebSocket):
            def sendall(self, data):
                self.send_fragments(data, 1)

        self.patch(self, "open_stream", lambda path: Thin(f"{path}.web", TIMEOUT_S))
        self.assertEqual(self.join().say("thin", b"fragments").content, b"fragments")

    def test_close(self):
        """The end of a session closes the WebSocket with 1000, after the DISCONNECT."""
        peer = self.join()
        peer.send(Type.DISCONNECT, {"code": "goodbye", "reason": "", "retry": False})
        peer.rest()
        self.assertEqual(peer.socket.code, NORMAL)


class PlainPeerTests(SessionPromises, MessagePromises, PeerTestCase):
    """Without a key: frames from the start."""


class SealedPeerTests(RecordPromises, SessionPromises, MessagePromises, PeerTestCase):
    """With a key: the same frames, in records."""


class PlainWebSocketTests(WebSocketPromises, SessionPromises, MessagePromises, PeerTestCase):
    """The same without a key, over a WebSocket; 500 frames in a message."""


class SealedWebSocketTests(
    WebSocketPromises, RecordPromises, SessionPromises, MessagePromises, PeerTestCase
):
    """The same with a key, over a WebSocket."""
