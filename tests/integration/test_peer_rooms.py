"""A foreign peer in rooms, with direct messages, and after a reconnect."""

import socket
from typing import Any

from tests.integration.peer import Frame, Peer, Type
from tests.integration.peer_case import KEY, OverWebSocket, PeerMixin, PeerTestCase


def with_ref(said: Frame, ref: str) -> Frame:
    """Return the frame of a message as the answer to a command."""
    return said._replace(header={**said.header, "ref": ref})


class RoomPromises(PeerMixin):
    """The promises about rooms and stored messages."""

    def ask(self, peer: Peer, command: str, **fields: object) -> dict[Any, Any]:
        """Give a command, and return the header of its RESULT."""
        peer.send(Type.COMMAND, {"id": f"do-{command}", "command": command, **fields})
        return peer.expect(Type.RESULT, id=f"do-{command}").header

    def begin_nowhere(self, name: str) -> Peer:
        """Return an established peer without a room."""
        peer = self.connect()
        peer.begin()
        peer.acknowledge(name=name, rooms=[])
        welcome = peer.expect(Type.EVENT, event="welcome").header
        self.assertEqual((welcome["room"], welcome["rooms"]), (None, []))
        peer.name = welcome["name"]
        return peer

    def test_made_by_being_joined(self):
        """A join creates a room, with its own order."""
        first, second = self.join(), self.join()
        room = f"Room-{first.name}"
        told = self.ask(first, "join", room=room)
        self.assertEqual(set(told), {"id", "room", "epoch", "seq", "members", "topic", "recovered"})
        self.assertEqual((told["room"], told["seq"], told["members"]), (room, 0, 1))
        self.assertEqual(self.ask(second, "join", room=room.upper())["room"], room)
        first.expect(Type.EVENT, event="joined", room=room, name=second.name)
        receipt = second.say("here", room=room.lower())
        self.assertEqual((receipt.header["room"], receipt.header["seq"]), (room, 1))
        self.assertEqual(first.expect(Type.MESSAGE), receipt)

    def test_comes_back(self):
        """A peer that was away gets its missed messages, then new ones, without gap or repeat."""
        here, away = self.join(), self.join()
        room = f"room-{here.name}"
        for peer in (here, away):
            epoch = self.ask(peer, "join", room=room)["epoch"]
        seen = here.say("seen", room=room).header["seq"]
        away.expect(Type.MESSAGE, id="seen", room=room)
        away.close()
        missed = [here.say(f"missed-{number}", room=room) for number in range(3)]
        back = self.begin_nowhere(away.name)
        told = self.ask(back, "join", room=room, after=seen, epoch=epoch)
        self.assertEqual((told["recovered"], told["epoch"]), (True, epoch))
        after = here.say("after", room=room)
        answers = [with_ref(each, told["id"]) for each in missed]
        self.assertEqual([back.expect(Type.MESSAGE) for _ in range(4)], [*answers, after])

    def test_history(self):
        """The daemon reads stored messages as they were delivered, right before the RESULT."""
        peer = self.join()
        room = f"room-{peer.name}"
        self.ask(peer, "join", room=room)
        said = [peer.say(f"m{number}", room=room) for number in range(3)]
        peer.send(Type.COMMAND, {"id": "h", "command": "history", "room": room, "limit": 2})
        answers = [with_ref(each, "h") for each in said[1:]]
        self.assertEqual([peer.expect(Type.MESSAGE) for _ in range(2)], answers)
        result = peer.expect(Type.RESULT, id="h").header
        self.assertEqual((result["count"], result["complete"]), (2, False))

    def test_direct_message(self):
        """A message to a name reaches both ends, with the same bytes, and nobody else."""
        one, other, third = self.join(), self.join(), self.join()
        receipt = one.say("psst", b"hello", to=other.name)
        self.assertEqual(set(receipt.header), {"id", "to", "from", "seq", "time", "content_type"})
        self.assertEqual((receipt.header["to"], receipt.header["seq"]), (other.name, 1))
        self.assertEqual(other.expect(Type.MESSAGE), receipt)
        third.send(Type.MESSAGE, {"id": "first"})
        self.assertEqual(third.expect(Type.MESSAGE).header["id"], "first")

    def test_nobody_of_that_name(self):
        """The server keeps a message to a name without a session, and tells the sender."""
        peer = self.join()
        nobody = self.name()
        peer.say("psst", to=nobody)
        absent = peer.expect(Type.EVENT, event="absent").header
        self.assertEqual((absent["name"], absent["ref"]), (nobody, "psst"))

    def test_away(self):
        """A sender of a direct message learns that the receiver is away; `who` says it, too."""
        one, other = self.join(), self.join()
        room = f"room-{other.name}"
        self.ask(other, "join", room=room)
        self.assertEqual(self.ask(other, "away", text="at lunch")["text"], "at lunch")
        one.say("m1", to=other.name)
        away = one.expect(Type.EVENT, event="away").header
        self.assertEqual(
            away, {"event": "away", "name": other.name, "text": "at lunch", "ref": "m1"}
        )
        other.expect(Type.MESSAGE, id="m1")
        who = self.ask(one, "who", room=room)
        self.assertEqual((who["names"], who["away"]), ([other.name], {other.name: "at lunch"}))
        self.assertEqual(self.ask(other, "away")["text"], "")
        self.assertNotIn("away", self.ask(one, "who", room=room))

    def test_to_a_room_and_a_name(self):
        """The daemon refuses a message to both a room and a name."""
        peer = self.join()
        peer.send(Type.MESSAGE, {"id": "both", "room": peer.welcome["room"], "to": peer.name})
        refusal = peer.expect(Type.ERROR).header
        self.assertEqual((refusal["code"], refusal["ref"]), ("bad-request", "both"))
        peer.say("on")

    def test_in_order(self):
        """Commands and messages are carried out and answered in the order of sending."""
        peer = self.join()
        room = f"room-{peer.name}"
        sent = [
            (Type.COMMAND, {"id": "1", "command": "join", "room": room}),
            (Type.MESSAGE, {"id": "2", "room": room}),
            (Type.MESSAGE, {"id": "3", "room": "nowhere-at-all"}),
            (Type.COMMAND, {"id": "4", "command": "leave", "room": room}),
            (Type.MESSAGE, {"id": "5", "room": room}),
            (99, {"id": "6"}),
            (Type.MESSAGE, {"id": "7", "to": peer.name}),
            (Type.COMMAND, {"id": "8", "command": "make-tea"}),
        ]
        peer.write(b"".join(peer.encoded(*each) for each in sent))
        peer.send(Type.DISCONNECT, {})
        answers = [(got.type, got.header.get("ref", got.header.get("id"))) for got in peer.rest()]
        kinds = (9, 4, 5, 9, 5, 5, 4, 5)
        self.assertEqual(answers, [(kind, str(n)) for n, kind in enumerate(kinds, 1)])

    def test_half_closed(self):
        """A peer that closes its sending half still gets all answers."""
        peer = self.join()
        room = f"room-{peer.name}"
        peer.write(
            peer.encoded(Type.COMMAND, {"id": "j", "command": "join", "room": room})
            + b"".join(
                peer.encoded(Type.MESSAGE, {"id": f"m{number}", "room": room})
                for number in range(2_500)
            )
            + peer.encoded(Type.COMMAND, {"id": "w", "command": "who", "room": room})
        )
        peer.socket.shutdown(socket.SHUT_WR)
        ids = [got.header["id"] for got in peer.rest()]
        self.assertEqual(ids, ["j", *(f"m{number}" for number in range(2_500)), "w"])


class PlainRoomTests(RoomPromises, PeerTestCase):
    """Without a key, stored in memory."""


class SealedRoomTests(RoomPromises, PeerTestCase):
    """With a key."""

    key = KEY


class DiskRoomTests(RoomPromises, PeerTestCase):
    """Stored on disk, by a thread."""

    options = ("--data", "data")


class WebSocketRoomTests(OverWebSocket, RoomPromises, PeerTestCase):
    """Over a WebSocket, without a key."""


class SealedWebSocketRoomTests(OverWebSocket, RoomPromises, PeerTestCase):
    """Over a WebSocket, with a key."""

    key = KEY
