"""Tests of the turn: its messages, and the order of its flushes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.flush import Turn, join_frames
from chatd.wire.codec import Codec
from chatd.wire.large import LARGE_CONTENT
from chatd.wire.messages import Message


class AsItIs:
    """An encoder whose messages and frames are the same bytes."""

    def __init__(self) -> None:
        self.encoded: list[bytes] = []

    def encode_run(self, messages: Iterable[bytes]) -> list[bytes]:
        run = list(messages)
        self.encoded += run
        return run


AS_IT_IS = AsItIs()


class FakeMember:
    """A member that gets frames, and writes them in its flush.

    Attributes:
        encoder: The encoder of its frames.
        deliveries: The frames that it got, a piece for each delivery.
    """

    def __init__(self, turn: Any, encoder: AsItIs = AS_IT_IS) -> None:
        self.id = str(id(self))
        self.turn = turn
        self.encoder = encoder
        self.deliveries: list[bytes] = []
        self.delivered: list[bytes] = []
        self.writes: list[bytes] = []
        self.flushes = 0
        self.rooms: dict[str, FakeRoom] = {}

    def deliver(self, frames: bytes) -> None:
        self.deliveries.append(frames)
        self.delivered.append(frames)
        self.turn.add(self)

    def flush(self) -> None:
        self.flushes += 1
        if self.delivered:
            self.writes.append(b"".join(self.delivered))
            self.delivered = []


class FakeRoom:
    """A room with members."""

    def __init__(self, *members: FakeMember) -> None:
        self.members = {member.id: member for member in members}
        for member in members:
            member.rooms[str(id(self))] = self

    def join(self, turn: Any, member: FakeMember) -> None:
        """Add a member during a turn."""
        turn.begin(self, member)
        self.members[member.id] = member
        member.rooms[str(id(self))] = self

    def leave(self, turn: Any, member: FakeMember) -> None:
        """Remove a member during a turn."""
        turn.deliver_early(member)
        del self.members[member.id]
        del member.rooms[str(id(self))]


class FanOutTests(SynchronousTestCase):
    """Broadcast messages reach all members at the end of the turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.members = [FakeMember(self.turn) for _ in range(3)]
        self.room = FakeRoom(*self.members)

    def test_nothing_goes_out_within_the_turn(self) -> None:
        """A broadcast waits for the end of the turn."""
        self.turn.broadcast(self.room, [b"one"])
        self.assertEqual([member.delivered for member in self.members], [[], [], []])
        self.assertEqual([member.writes for member in self.members], [[], [], []])

    def test_one_write_for_each_member(self) -> None:
        """For any number of messages in a turn, each member writes once."""
        for number in range(100):
            self.turn.broadcast(self.room, [b"%d," % number])
        self.clock.advance(0)
        whole = b"".join(b"%d," % number for number in range(100))
        for member in self.members:
            self.assertEqual(member.writes, [whole])
            self.assertEqual(member.flushes, 1)

    def test_joined_once_for_the_room(self) -> None:
        """All members get the same bytes object, not a copy each."""
        self.turn.broadcast(self.room, [b"one"])
        self.turn.broadcast(self.room, [b"two"])
        self.turn.deliver_all()
        handed = [member.delivered for member in self.members]
        self.assertEqual(handed, [[b"onetwo"]] * 3)
        self.assertEqual(len({id(frames) for (frames,) in handed}), 1)

    def test_single_frame_is_not_copied(self) -> None:
        """The turn passes its only frame on without a copy."""
        frame = b"the only one"
        self.turn.broadcast(self.room, [frame])
        self.turn.deliver_all()
        self.assertIs(self.members[0].delivered[0], frame)

    def test_room_without_members(self) -> None:
        """The turn drops a broadcast to an empty room; later members do not get it."""
        empty = FakeRoom()
        self.turn.broadcast(empty, [b"one"])
        self.turn.deliver_all()
        empty.members[self.members[0].id] = self.members[0]
        self.clock.advance(0)
        self.assertEqual(self.members[0].writes, [])

    def test_each_turn_for_itself(self) -> None:
        """A message after the end of a turn is sent in the next turn."""
        self.turn.broadcast(self.room, [b"one"])
        self.clock.advance(0)
        self.turn.broadcast(self.room, [b"two"])
        self.clock.advance(0)
        self.assertEqual(self.members[0].writes, [b"one", b"two"])


class OrderTests(SynchronousTestCase):
    """The frames for a member keep their order."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.member = FakeMember(self.turn)

    def test_rooms_one_after_the_other(self) -> None:
        """A member of two rooms gets the messages of both in the order of the broadcasts."""
        first, second = FakeRoom(self.member), FakeRoom(self.member)
        self.turn.broadcast(first, [b"1"])
        self.turn.broadcast(first, [b"2"])
        self.turn.broadcast(second, [b"3"])
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"123"])

    def test_rooms_by_turns(self) -> None:
        """Two rooms with alternating messages each keep their order, in one piece."""
        first, second = FakeRoom(self.member), FakeRoom(self.member)
        for number in range(6):
            self.turn.broadcast(second if number % 2 else first, [b"%d" % number])
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"024135"])

    def test_single_frame_after_a_broadcast(self) -> None:
        """A frame for one member follows the messages delivered before it."""
        room = FakeRoom(self.member)
        self.turn.broadcast(room, [b"1"])
        self.turn.deliver_all()
        self.member.deliver(b"2")
        self.turn.broadcast(room, [b"3"])
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"123"])


class MembersTests(SynchronousTestCase):
    """A broadcast goes to the members at the time of its delivery."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.old, self.new = FakeMember(self.turn), FakeMember(self.turn)
        self.room = FakeRoom(self.old)

    def test_who_joins_after_it_was_said(self) -> None:
        """A client that joins after a delivery does not get earlier messages."""
        self.turn.broadcast(self.room, [b"before,"])
        self.turn.deliver_all()
        self.room.members[self.new.id] = self.new
        self.turn.broadcast(self.room, [b"after"])
        self.clock.advance(0)
        self.assertEqual(self.old.writes, [b"before,after"])
        self.assertEqual(self.new.writes, [b"after"])

    def test_who_leaves_after_it_was_said(self) -> None:
        """A member that leaves after a delivery gets the earlier messages, and no others."""
        self.turn.broadcast(self.room, [b"before,"])
        self.turn.deliver_all()
        self.room.members.clear()
        self.turn.broadcast(self.room, [b"after"])
        self.clock.advance(0)
        self.assertEqual(self.old.writes, [b"before,"])

    def test_who_leaves_while_it_is_handed_out(self) -> None:
        """A delivery may change the members without harm."""
        room = FakeRoom(self.old, self.new)
        deliver = self.old.deliver

        def deliver_and_leave(frames: bytes) -> None:
            deliver(frames)
            del room.members[self.old.id]

        self.old.deliver = deliver_and_leave
        self.turn.broadcast(room, [b"one"])
        self.clock.advance(0)
        self.assertEqual((self.old.writes, self.new.writes), ([b"one"], [b"one"]))


class JoiningTests(SynchronousTestCase):
    """A member that joins during a turn gets only later messages; others notice nothing."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.old = [FakeMember(self.turn) for _ in range(3)]
        self.new, self.newer = FakeMember(self.turn), FakeMember(self.turn)
        self.room = FakeRoom(*self.old)

    def say(self, *frames: bytes) -> None:
        for frame in frames:
            self.turn.broadcast(self.room, [frame])

    def test_gets_what_is_said_later(self) -> None:
        """The new member gets no messages from before it joined, and all later messages."""
        self.say(b"1", b"2")
        self.room.join(self.turn, self.new)
        self.say(b"3", b"4")
        self.clock.advance(0)
        self.assertEqual(self.new.deliveries, [b"34"])

    def test_fan_out_is_not_broken_up(self) -> None:
        """With any number of joins, each old member gets one delivery, with the same bytes."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.say(b"2")
        self.room.join(self.turn, self.newer)
        self.say(b"3")
        self.clock.advance(0)
        self.assertEqual([member.deliveries for member in self.old], [[b"123"]] * 3)
        self.assertEqual(len({id(member.deliveries[0]) for member in self.old}), 1)
        self.assertEqual([member.flushes for member in self.old], [1, 1, 1])
        self.assertEqual((self.new.deliveries, self.newer.deliveries), ([b"23"], [b"3"]))

    def test_nothing_is_said_later(self) -> None:
        """If no message follows, the new member gets no delivery."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.clock.advance(0)
        self.assertEqual((self.new.deliveries, self.new.flushes), ([], 0))
        self.assertEqual([member.deliveries for member in self.old], [[b"1"]] * 3)

    def test_nothing_was_said_before(self) -> None:
        """If no message was sent before it joined, the new member is like every other."""
        self.room.join(self.turn, self.new)
        self.say(b"1", b"2")
        self.clock.advance(0)
        self.assertEqual(self.new.deliveries, [b"12"])
        self.assertIs(self.new.deliveries[0], self.old[0].deliveries[0])

    def test_next_turn(self) -> None:
        """In the next turn, the new member is like every other."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.clock.advance(0)
        self.say(b"2")
        self.clock.advance(0)
        self.assertEqual(self.new.deliveries, [b"2"])
        self.assertIs(self.new.deliveries[0], self.old[0].deliveries[-1])

    def test_other_room(self) -> None:
        """A member that joins a room gets all messages of another room that it was in before."""
        other = FakeRoom(self.new)
        self.turn.broadcast(other, [b"a"])
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.turn.broadcast(other, [b"b"])
        self.say(b"2")
        self.clock.advance(0)
        self.assertEqual(b"".join(self.new.deliveries), b"ab2")

    def test_leaves_and_comes_back(self) -> None:
        """A member that leaves and returns in one turn misses only the messages in between."""
        comer = self.old[0]
        self.say(b"1")
        self.room.leave(self.turn, comer)
        self.say(b"2")
        self.room.join(self.turn, comer)
        self.say(b"3")
        self.clock.advance(0)
        self.assertEqual(comer.writes, [b"13"])
        self.assertEqual([member.deliveries for member in self.old[1:]], [[b"123"]] * 2)

    def test_comes_and_leaves(self) -> None:
        """A member that joins and leaves in one turn gets the messages in between."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.say(b"2")
        self.room.leave(self.turn, self.new)
        self.say(b"3")
        self.clock.advance(0)
        self.assertEqual(self.new.writes, [b"2"])


class HandOverTests(SynchronousTestCase):
    """A receiver can get the broadcast messages before the turn is over."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.one, self.other = FakeMember(self.turn), FakeMember(self.turn)
        self.room = FakeRoom(self.one, self.other)

    def test_at_once(self) -> None:
        """The receiver gets those messages at once, and later messages in one write at the end."""
        self.turn.broadcast(self.room, [b"1"])
        self.turn.broadcast(self.room, [b"2"])
        self.turn.deliver_early(self.one)
        self.assertEqual(self.one.deliveries, [b"12"])
        self.one.deliver(b"for you,")
        self.turn.broadcast(self.room, [b"3"])
        self.clock.advance(0)
        self.assertEqual(self.one.deliveries, [b"12", b"for you,", b"3"])
        self.assertEqual(self.one.writes, [b"12for you,3"])

    def test_others_wait(self) -> None:
        """The other members get them at the end of the turn, in one piece."""
        self.turn.broadcast(self.room, [b"1"])
        self.turn.deliver_early(self.one)
        self.assertEqual(self.other.deliveries, [])
        self.turn.broadcast(self.room, [b"2"])
        self.turn.deliver_early(self.one)
        self.clock.advance(0)
        self.assertEqual(self.other.deliveries, [b"12"])

    def test_again(self) -> None:
        """Messages that were delivered early are not delivered again."""
        self.turn.broadcast(self.room, [b"1"])
        self.turn.deliver_early(self.one)
        self.turn.deliver_early(self.one)
        self.clock.advance(0)
        self.assertEqual(self.one.deliveries, [b"1"])

    def test_of_all_rooms(self) -> None:
        """The receiver gets the messages of all its rooms, and of no other room."""
        also, not_in = FakeRoom(self.one), FakeRoom(self.other)
        for room, frame in ((self.room, b"1"), (also, b"2"), (not_in, b"3"), (self.room, b"4")):
            self.turn.broadcast(room, [frame])
        self.turn.deliver_early(self.one)
        self.assertEqual(self.one.deliveries, [b"14", b"2"])

    def test_nothing(self) -> None:
        """Without messages, the turn does nothing, and schedules no call."""
        self.turn.deliver_early(self.one)
        self.assertEqual((self.one.deliveries, self.clock.getDelayedCalls()), ([], []))


class EncodingTests(SynchronousTestCase):
    """Each message is encoded once for each encoder among the members."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.encoders = [AsItIs(), AsItIs()]
        self.members = [FakeMember(self.turn, self.encoders[n % 2]) for n in range(6)]
        self.room = FakeRoom(*self.members)

    def test_once_for_each(self) -> None:
        """Each encoder encodes once, for any number and any order of members."""
        self.turn.broadcast(self.room, [b"1"])
        self.turn.broadcast(self.room, [b"2"])
        self.assertEqual([each.encoded for each in self.encoders], [[], []])
        self.turn.deliver_early(self.members[0])
        self.turn.broadcast(self.room, [b"3"])
        self.clock.advance(0)
        self.assertEqual([each.encoded for each in self.encoders], [[b"1", b"2", b"3"]] * 2)
        self.assertEqual([b"".join(each.deliveries) for each in self.members], [b"123"] * 6)

    def test_shared_by_each(self) -> None:
        """The members with an encoder share the same bytes, in any order of members."""
        self.turn.broadcast(self.room, [b"1", b"2"])
        self.clock.advance(0)
        delivered = [frames for each in self.members for frames in each.deliveries]
        self.assertEqual(delivered, [b"12"] * 6)
        self.assertEqual(len({id(frames) for frames in delivered}), 2)

    def test_nobody(self) -> None:
        """A message without receivers is not encoded."""
        self.turn.broadcast(FakeRoom(), [b"1"])
        self.clock.advance(0)
        self.assertEqual([each.encoded for each in self.encoders], [[], []])

    def test_failure(self) -> None:
        """The turn logs a message that cannot be encoded; the other rooms get their messages."""

        def fail(messages: Iterable[bytes]) -> list[bytes]:
            raise KeyError("no")

        other = FakeMember(self.turn)
        self.encoders[0].encode_run = fail
        self.turn.broadcast(self.room, [b"1"])
        self.turn.broadcast(FakeRoom(other), [b"2"])
        self.clock.advance(0)
        self.assertEqual(other.writes, [b"2"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class BeforeFlushTests(SynchronousTestCase):
    """Before the flush, there is a last chance to broadcast."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.act = lambda: None
        self.turn: Any = Turn(self.clock, self.before_flush)
        self.member = FakeMember(self.turn)
        self.room = FakeRoom(self.member)

    def before_flush(self) -> None:
        self.act()

    def test_goes_out_with_the_turn(self) -> None:
        """Messages from `before_flush` go out with the turn, after the earlier messages."""
        self.act = lambda: self.turn.broadcast(self.room, [b"last"])
        self.turn.broadcast(self.room, [b"first,"])
        self.clock.advance(0)
        self.assertEqual(self.member.deliveries, [b"first,last"])
        self.assertEqual((self.member.flushes, self.clock.getDelayedCalls()), (1, []))

    def test_scheduled(self) -> None:
        """A turn without messages has an end too, if it is scheduled."""
        self.act = lambda: self.turn.broadcast(self.room, [b"all"])
        self.turn.schedule()
        self.turn.schedule()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual((self.member.writes, self.clock.getDelayedCalls()), ([b"all"], []))

    def test_failure(self) -> None:
        """If `before_flush` fails, the turn logs the failure, and sends the collected messages."""

        def fail() -> None:
            raise KeyError("no")

        self.act = fail
        self.turn.broadcast(self.room, [b"one"])
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"one"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class FlushTests(SynchronousTestCase):
    """The end of the turn is one call of the clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.member = FakeMember(self.turn)

    def test_one_call_for_a_turn(self) -> None:
        """For any number of messages, the turn schedules one call, and none after the end."""
        room = FakeRoom(self.member)
        for _ in range(10):
            self.turn.add(self.member)
            self.turn.broadcast(room, [b"x"])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_added_often_flushed_once(self) -> None:
        """A protocol that is added twice in a turn is flushed once."""
        self.turn.add(self.member)
        self.turn.add(self.member)
        self.clock.advance(0)
        self.assertEqual(self.member.flushes, 1)

    def test_flush_now(self) -> None:
        """A flush sends everything at once, and the end of the turn has nothing to do."""
        self.turn.broadcast(FakeRoom(self.member), [b"now"])
        self.turn.flush()
        self.assertEqual(self.member.writes, [b"now"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flush_of_nothing(self) -> None:
        """A flush without messages does nothing, and the next turn works."""
        self.turn.flush()
        self.turn.broadcast(FakeRoom(self.member), [b"later"])
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"later"])

    def test_added_while_flushing(self) -> None:
        """Messages that a flush causes go out in the next turn."""
        other = FakeMember(self.turn)
        self.member.flush = lambda: other.deliver(b"brought about")
        self.turn.add(self.member)
        self.turn.flush()
        self.assertEqual(other.writes, [])
        self.clock.advance(0)
        self.assertEqual(other.writes, [b"brought about"])


class ReadTests(SynchronousTestCase):
    """A turn ends with a read if the same protocol was read last time, too."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.member = FakeMember(self.turn)
        self.room = FakeRoom(self.member)
        self.ann, self.bob = object(), object()

    def read(self, reader: object, *messages: bytes) -> None:
        """Broadcast messages while a protocol is read."""
        self.turn.begin_read()
        for message in messages:
            self.turn.broadcast(self.room, [message])
        self.turn.end_read(reader)

    def assert_written(self, writes: list[bytes], calls: int) -> None:
        """Assert what the member wrote, and how many calls the turn has scheduled."""
        self.assertEqual(self.member.writes, writes)
        self.assertEqual(len(self.clock.getDelayedCalls()), calls)

    def test_alone(self) -> None:
        """The second read of a protocol in a row flushes at once, without a call of the clock."""
        self.read(self.ann)
        self.read(self.ann, b"1", b"2")
        self.assert_written([b"12"], 0)
        self.read(self.ann, b"3")
        self.assert_written([b"12", b"3"], 0)

    def test_others(self) -> None:
        """Reads of several protocols are flushed together at the end of the turn."""
        self.read(self.ann, b"1")
        self.read(self.bob, b"2")
        self.assert_written([], 1)
        self.clock.advance(0)
        self.assert_written([b"12"], 0)

    def test_scheduled(self) -> None:
        """If the end of the turn is scheduled already, a read does not flush."""
        self.read(self.ann)
        self.turn.schedule()
        self.read(self.ann, b"1")
        self.assert_written([], 1)
        self.clock.advance(0)
        self.assert_written([b"1"], 0)

    def test_nothing(self) -> None:
        """A read that causes nothing to be sent flushes and schedules nothing."""
        for _ in range(2):
            self.read(self.ann)
        self.assert_written([], 0)
        self.assertEqual(self.member.flushes, 0)

    def test_flush_during_a_read(self) -> None:
        """After a flush in the middle of a read, the rest goes out at the end of the turn."""
        self.turn.begin_read()
        self.turn.broadcast(self.room, [b"1"])
        self.turn.flush()
        self.turn.broadcast(self.room, [b"2"])
        self.turn.end_read(self.ann)
        self.assert_written([b"1"], 1)
        self.clock.advance(0)
        self.assert_written([b"1", b"2"], 0)

    def test_added_while_others_are_flushed(self) -> None:
        """A protocol that becomes due while others are flushed has its turn later."""
        self.read(self.ann)
        flush = self.member.flush
        other = FakeMember(self.turn)

        def flush_and_add() -> None:
            flush()
            self.turn.add(other)

        self.member.flush = flush_and_add
        self.read(self.ann, b"1")
        self.assertEqual((self.member.writes, other.flushes), ([b"1"], 0))
        self.clock.advance(0)
        self.assertEqual(other.flushes, 1)


class JoinFramesTests(SynchronousTestCase):
    """Joins frames that are next to each other."""

    def setUp(self) -> None:
        message = Message.chat(b"x" * LARGE_CONTENT, id="large")
        self.large = Codec().encode_in_steps(message)

    def test_order(self) -> None:
        """Large frames stay alone, in their places among the others."""
        large = self.large
        for frames, joined in (
            ([], []),
            ([b"a"], [b"a"]),
            ([b"a", b"b"], [b"ab"]),
            ([large], [large]),
            ([b"a", b"b", large, b"c", b"d"], [b"ab", large, b"cd"]),
            ([large, large, b"a", large], [large, large, b"a", large]),
        ):
            self.assertEqual(list(join_frames(frames)), joined)

    def test_copied_once(self) -> None:
        """Beside a large frame, too, no frame is copied for each frame that follows it."""
        added: list[Any] = []

        class Piece(bytes):
            """Bytes that record when other bytes are added to them."""

            def __add__(self, other: Any) -> bytes:
                added.append(other)
                return super().__add__(other)

        joined = join_frames([self.large, *(Piece(b"x") for _ in range(100))])
        self.assertEqual(list(joined), [self.large, b"x" * 100])
        self.assertEqual(added, [])
