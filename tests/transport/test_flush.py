"""Tests of the turn: what is gathered until it is over, and in which order it goes out."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.flush import Turn


class AsItIs:
    """An encoder for which messages are bytes, and frames the same."""

    def __init__(self) -> None:
        self.encoded: list[bytes] = []

    def encode(self, message: bytes) -> bytes:
        self.encoded.append(message)
        return message


AS_IT_IS = AsItIs()


class FakeMember:
    """Is delivered frames, and writes them when it is flushed.

    Attributes:
        encoder: What makes its frames.
        deliveries: What it was delivered, a piece for each time.
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
    """Holds members."""

    def __init__(self, *members: FakeMember) -> None:
        self.members = {member.id: member for member in members}
        for member in members:
            member.rooms[str(id(self))] = self

    def join(self, turn: Any, member: FakeMember) -> None:
        """Let a member in, in the middle of a turn."""
        turn.begin(self, member)
        self.members[member.id] = member
        member.rooms[str(id(self))] = self

    def leave(self, turn: Any, member: FakeMember) -> None:
        """Let a member out, in the middle of a turn."""
        turn.deliver_early(member)
        del self.members[member.id]
        del member.rooms[str(id(self))]


class FanOutTests(SynchronousTestCase):
    """What is broadcast reaches all who are members, at the end of the turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.members = [FakeMember(self.turn) for _ in range(3)]
        self.room = FakeRoom(*self.members)

    def test_nothing_goes_out_within_the_turn(self) -> None:
        """A broadcast waits for the end of the turn."""
        self.turn.broadcast(self.room, b"one")
        self.assertEqual([member.delivered for member in self.members], [[], [], []])
        self.assertEqual([member.writes for member in self.members], [[], [], []])

    def test_one_write_for_each_member(self) -> None:
        """However many messages a turn brings, each member writes once."""
        for number in range(100):
            self.turn.broadcast(self.room, b"%d," % number)
        self.clock.advance(0)
        whole = b"".join(b"%d," % number for number in range(100))
        for member in self.members:
            self.assertEqual(member.writes, [whole])
            self.assertEqual(member.flushes, 1)

    def test_joined_once_for_the_room(self) -> None:
        """Every member is handed the very same bytes, not a copy of its own."""
        self.turn.broadcast(self.room, b"one")
        self.turn.broadcast(self.room, b"two")
        self.turn.deliver_all()
        handed = [member.delivered for member in self.members]
        self.assertEqual(handed, [[b"onetwo"]] * 3)
        self.assertEqual(len({id(frames) for (frames,) in handed}), 1)

    def test_single_frame_is_not_copied(self) -> None:
        """A frame that is the only one of its turn is handed on as it is."""
        frame = b"the only one"
        self.turn.broadcast(self.room, frame)
        self.turn.deliver_all()
        self.assertIs(self.members[0].delivered[0], frame)

    def test_room_without_members(self) -> None:
        """A broadcast to nobody is dropped, and does not wait for who comes later."""
        empty = FakeRoom()
        self.turn.broadcast(empty, b"one")
        self.turn.deliver_all()
        empty.members[self.members[0].id] = self.members[0]
        self.clock.advance(0)
        self.assertEqual(self.members[0].writes, [])

    def test_each_turn_for_itself(self) -> None:
        """What comes after the end of a turn goes out with the next."""
        self.turn.broadcast(self.room, b"one")
        self.clock.advance(0)
        self.turn.broadcast(self.room, b"two")
        self.clock.advance(0)
        self.assertEqual(self.members[0].writes, [b"one", b"two"])


class OrderTests(SynchronousTestCase):
    """What is queued for a member keeps its order."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.member = FakeMember(self.turn)

    def test_rooms_one_after_the_other(self) -> None:
        """What is said in two rooms reaches who is in both in the order in which it was said."""
        first, second = FakeRoom(self.member), FakeRoom(self.member)
        self.turn.broadcast(first, b"1")
        self.turn.broadcast(first, b"2")
        self.turn.broadcast(second, b"3")
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"123"])

    def test_rooms_by_turns(self) -> None:
        """Two rooms that speak by turns keep their own orders, each in one piece."""
        first, second = FakeRoom(self.member), FakeRoom(self.member)
        for number in range(6):
            self.turn.broadcast(second if number % 2 else first, b"%d" % number)
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"024135"])

    def test_single_frame_after_a_broadcast(self) -> None:
        """A frame for one member comes after what was broadcast before it, once that is settled."""
        room = FakeRoom(self.member)
        self.turn.broadcast(room, b"1")
        self.turn.deliver_all()
        self.member.deliver(b"2")
        self.turn.broadcast(room, b"3")
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"123"])


class MembersTests(SynchronousTestCase):
    """Who is a member when a broadcast is settled is sent it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.old, self.new = FakeMember(self.turn), FakeMember(self.turn)
        self.room = FakeRoom(self.old)

    def test_who_joins_after_it_was_said(self) -> None:
        """Who joins after a settle does not get what was said before it."""
        self.turn.broadcast(self.room, b"before,")
        self.turn.deliver_all()
        self.room.members[self.new.id] = self.new
        self.turn.broadcast(self.room, b"after")
        self.clock.advance(0)
        self.assertEqual(self.old.writes, [b"before,after"])
        self.assertEqual(self.new.writes, [b"after"])

    def test_who_leaves_after_it_was_said(self) -> None:
        """Who leaves after a settle gets what was said before it, and nothing else."""
        self.turn.broadcast(self.room, b"before,")
        self.turn.deliver_all()
        self.room.members.clear()
        self.turn.broadcast(self.room, b"after")
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
        self.turn.broadcast(room, b"one")
        self.clock.advance(0)
        self.assertEqual((self.old.writes, self.new.writes), ([b"one"], [b"one"]))


class JoiningTests(SynchronousTestCase):
    """Who joins in the middle of a turn is sent what is said from then on; nobody else notices."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.old = [FakeMember(self.turn) for _ in range(3)]
        self.new, self.newer = FakeMember(self.turn), FakeMember(self.turn)
        self.room = FakeRoom(*self.old)

    def say(self, *frames: bytes) -> None:
        for frame in frames:
            self.turn.broadcast(self.room, frame)

    def test_gets_what_is_said_later(self) -> None:
        """It gets nothing of what was said before it came, and all that is said after."""
        self.say(b"1", b"2")
        self.room.join(self.turn, self.new)
        self.say(b"3", b"4")
        self.clock.advance(0)
        self.assertEqual(self.new.deliveries, [b"34"])

    def test_fan_out_is_not_broken_up(self) -> None:
        """However many join, each old member is delivered to once, and all the same bytes."""
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
        """Where nothing is said after it came, it is delivered nothing."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.clock.advance(0)
        self.assertEqual((self.new.deliveries, self.new.flushes), ([], 0))
        self.assertEqual([member.deliveries for member in self.old], [[b"1"]] * 3)

    def test_nothing_was_said_before(self) -> None:
        """Where nothing was said before it came, it is like every other."""
        self.room.join(self.turn, self.new)
        self.say(b"1", b"2")
        self.clock.advance(0)
        self.assertEqual(self.new.deliveries, [b"12"])
        self.assertIs(self.new.deliveries[0], self.old[0].deliveries[0])

    def test_next_turn(self) -> None:
        """In the next turn it is like every other."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.clock.advance(0)
        self.say(b"2")
        self.clock.advance(0)
        self.assertEqual(self.new.deliveries, [b"2"])
        self.assertIs(self.new.deliveries[0], self.old[0].deliveries[-1])

    def test_other_room(self) -> None:
        """Who joins one room is sent all of another that it was in."""
        other = FakeRoom(self.new)
        self.turn.broadcast(other, b"a")
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.turn.broadcast(other, b"b")
        self.say(b"2")
        self.clock.advance(0)
        self.assertEqual(b"".join(self.new.deliveries), b"ab2")

    def test_leaves_and_comes_back(self) -> None:
        """Who leaves and comes back in one turn misses what was said between, and nothing else."""
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
        """Who comes and leaves in one turn gets what was said between."""
        self.say(b"1")
        self.room.join(self.turn, self.new)
        self.say(b"2")
        self.room.leave(self.turn, self.new)
        self.say(b"3")
        self.clock.advance(0)
        self.assertEqual(self.new.writes, [b"2"])


class HandOverTests(SynchronousTestCase):
    """One may be handed what was broadcast to it before the turn is over."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn: Any = Turn(self.clock)
        self.one, self.other = FakeMember(self.turn), FakeMember(self.turn)
        self.room = FakeRoom(self.one, self.other)

    def test_at_once(self) -> None:
        """It gets it at once, and what is said later at the end of the turn, in one write."""
        self.turn.broadcast(self.room, b"1")
        self.turn.broadcast(self.room, b"2")
        self.turn.deliver_early(self.one)
        self.assertEqual(self.one.deliveries, [b"12"])
        self.one.deliver(b"for you,")
        self.turn.broadcast(self.room, b"3")
        self.clock.advance(0)
        self.assertEqual(self.one.deliveries, [b"12", b"for you,", b"3"])
        self.assertEqual(self.one.writes, [b"12for you,3"])

    def test_others_wait(self) -> None:
        """The others get it as they would have, in one piece."""
        self.turn.broadcast(self.room, b"1")
        self.turn.deliver_early(self.one)
        self.assertEqual(self.other.deliveries, [])
        self.turn.broadcast(self.room, b"2")
        self.turn.deliver_early(self.one)
        self.clock.advance(0)
        self.assertEqual(self.other.deliveries, [b"12"])

    def test_again(self) -> None:
        """What it was handed it is not handed again."""
        self.turn.broadcast(self.room, b"1")
        self.turn.deliver_early(self.one)
        self.turn.deliver_early(self.one)
        self.clock.advance(0)
        self.assertEqual(self.one.deliveries, [b"1"])

    def test_of_all_rooms(self) -> None:
        """It gets what was said in all rooms it is in, and in no other."""
        also, not_in = FakeRoom(self.one), FakeRoom(self.other)
        for room, frame in ((self.room, b"1"), (also, b"2"), (not_in, b"3"), (self.room, b"4")):
            self.turn.broadcast(room, frame)
        self.turn.deliver_early(self.one)
        self.assertEqual(self.one.deliveries, [b"14", b"2"])

    def test_nothing(self) -> None:
        """Where nothing was said nothing happens, and no call is made."""
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
        """However many members have one, and in whatever order they come."""
        self.turn.broadcast(self.room, b"1")
        self.turn.broadcast(self.room, b"2")
        self.assertEqual([each.encoded for each in self.encoders], [[], []])
        self.turn.deliver_early(self.members[0])
        self.turn.broadcast(self.room, b"3")
        self.clock.advance(0)
        self.assertEqual([each.encoded for each in self.encoders], [[b"1", b"2", b"3"]] * 2)
        self.assertEqual([b"".join(each.deliveries) for each in self.members], [b"123"] * 6)

    def test_nobody(self) -> None:
        """What nobody hears is not encoded."""
        self.turn.broadcast(FakeRoom(), b"1")
        self.clock.advance(0)
        self.assertEqual([each.encoded for each in self.encoders], [[], []])

    def test_failure(self) -> None:
        """What cannot be encoded is logged, and the other rooms are told all the same."""

        def fail(message: bytes) -> bytes:
            raise KeyError("no")

        other = FakeMember(self.turn)
        self.encoders[0].encode = fail
        self.turn.broadcast(self.room, b"1")
        self.turn.broadcast(FakeRoom(other), b"2")
        self.clock.advance(0)
        self.assertEqual(other.writes, [b"2"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class BeforeFlushTests(SynchronousTestCase):
    """Before everything is sent there is a last chance to say something."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.act = lambda: None
        self.turn: Any = Turn(self.clock, self.before_flush)
        self.member = FakeMember(self.turn)
        self.room = FakeRoom(self.member)

    def before_flush(self) -> None:
        self.act()

    def test_goes_out_with_the_turn(self) -> None:
        """What it broadcasts goes out with the turn, after what was broadcast before."""
        self.act = lambda: self.turn.broadcast(self.room, b"last")
        self.turn.broadcast(self.room, b"first,")
        self.clock.advance(0)
        self.assertEqual(self.member.deliveries, [b"first,last"])
        self.assertEqual((self.member.flushes, self.clock.getDelayedCalls()), (1, []))

    def test_scheduled(self) -> None:
        """A turn in which nothing else happens has an end too, where it is asked for."""
        self.act = lambda: self.turn.broadcast(self.room, b"all")
        self.turn.schedule()
        self.turn.schedule()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual((self.member.writes, self.clock.getDelayedCalls()), ([b"all"], []))

    def test_failure(self) -> None:
        """Where it fails, that is logged, and what was gathered is sent all the same."""

        def fail() -> None:
            raise KeyError("no")

        self.act = fail
        self.turn.broadcast(self.room, b"one")
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
        """However much is gathered, the clock is asked once, and not again after the end."""
        room = FakeRoom(self.member)
        for _ in range(10):
            self.turn.add(self.member)
            self.turn.broadcast(room, b"x")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_added_often_flushed_once(self) -> None:
        """Who is added twice in a turn is flushed once."""
        self.turn.add(self.member)
        self.turn.add(self.member)
        self.clock.advance(0)
        self.assertEqual(self.member.flushes, 1)

    def test_flush_now(self) -> None:
        """A flush sends what was gathered at once, and the end of the turn has nothing to do."""
        self.turn.broadcast(FakeRoom(self.member), b"now")
        self.turn.flush()
        self.assertEqual(self.member.writes, [b"now"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flush_of_nothing(self) -> None:
        """A flush where nothing was gathered does nothing, and the turn still works after it."""
        self.turn.flush()
        self.turn.broadcast(FakeRoom(self.member), b"later")
        self.clock.advance(0)
        self.assertEqual(self.member.writes, [b"later"])

    def test_added_while_flushing(self) -> None:
        """What a flush brings about goes out in a turn of its own."""
        other = FakeMember(self.turn)
        self.member.flush = lambda: other.deliver(b"brought about")
        self.turn.add(self.member)
        self.turn.flush()
        self.assertEqual(other.writes, [])
        self.clock.advance(0)
        self.assertEqual(other.writes, [b"brought about"])
