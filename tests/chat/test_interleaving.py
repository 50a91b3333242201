"""Tests of what everyone hears, whatever happens at the same time, and in whatever order."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError, StoreError
from tests.chat.wiring import Chat, is_result, is_said

ROOMS = ("lobby", "tea")
NAMES = ("ann", "bob", "cat")
PAGE = 2

people = st.sampled_from(NAMES)
rooms = st.sampled_from(ROOMS)


class Ear:
    """What someone may hear next, from what it was told until now.

    Attributes:
        next: The place of the message that is to come next in each room that the person is in.
        is_busy: Whether a command is being done; a session's next one is read after that.
    """

    def __init__(self, person, record):
        self.person = person
        self.next = {}
        self.receipts = []
        self.asked = []
        self.is_busy = False
        self._record = record

    def listen(self):
        """Take what was told, and check that it is in order, without a gap or a duplicate."""
        for item in self.person.take():
            if is_result(item) or isinstance(item, RequestError):
                self._answered(item)
            elif is_said(item):
                self._heard(item)

    def _answered(self, item):
        ref = item.ref if isinstance(item, RequestError) else item.header["id"]
        if not self.asked or self.asked[0][0] != ref:  # what it said was refused
            self.receipts.append(ref)
            return
        _, command, fields, seq = self.asked.pop(0)
        if isinstance(item, RequestError):
            return
        if command == "leave":
            del self.next[fields["room"]]
            return
        result = item.header
        after, epoch = fields.get("after"), fields.get("epoch")
        is_same = epoch in (None, result["epoch"])
        if after is None:
            if result["room"] not in self.next:  # else it is in already, and goes on
                self.next[result["room"]] = result["seq"] + 1
            assert not result["recovered"]
        else:
            # Nothing is ever forgotten here, so whoever has a place of this order misses nothing.
            assert result["recovered"] == (is_same and after <= seq), (fields, result)
            self.next[result["room"]] = after + 1 if result["recovered"] else 1

    def _heard(self, message):
        assert message.seq == self.next[message.room], (message, self.next)
        self.next[message.room] += 1
        said = self._record.setdefault((message.room, message.seq), message)
        assert said == message
        if message.sender == self.person.name:
            self.receipts.append(message.id)


class Interleaving(RuleBasedStateMachine):
    """Everybody speaks, joins, leaves, reads slowly and vanishes; the store is slow, and fails."""

    def __init__(self):
        super().__init__()
        self.chat = Chat()
        self.chat.store.page = PAGE
        self.chat.store.is_slow = True
        self.chat.delivery.is_slow = True
        self.record = {}
        self.ears = {}
        self.said = {}
        self.is_failing = False
        # Someone of the house, so that the rooms are never forgotten, nor their order.
        self.chat.store.is_slow = False
        keeper = self.chat.arrive("keeper", rooms=ROOMS)
        for room in ROOMS:
            self.chat.say(keeper, "welcome", room=room)
        self.chat.end_turn()
        self.chat.store.is_slow = True
        self.keeper = Ear(keeper, self.record)
        self.keeper.next = dict.fromkeys(ROOMS, 1)
        for name in NAMES:
            self.arrive(name)
            for room in ROOMS:
                self._command(self.ears[name], "join", {"room": room})

    @precondition(lambda self: len(self.ears) < len(NAMES))
    @rule(name=people)
    def arrive(self, name):
        if name in self.ears:
            return
        self.ears[name] = Ear(self.chat.arrive(name, rooms=()), self.record)
        self.said[name] = []

    @rule(name=people)
    def vanish(self, name):
        ear = self.ears.pop(name, None)
        if ear is not None:
            self.chat.delivery.vanish(ear.person)

    @rule(name=people, room=rooms, count=st.integers(1, 3))
    def say(self, name, room, count):
        ear = self.ears.get(name)
        if ear is None or room not in ear.person.rooms:
            return
        for _ in range(count):
            id = f"{name} {len(self.said[name])} {id_of(ear)}"
            self.said[name].append(id)
            self.chat.say(ear.person, id, id=id, room=room)

    @rule(
        name=people,
        room=rooms,
        after=st.sampled_from([None, "last", "last", "next", 0, 3]),
        has_epoch=st.booleans(),
        is_other=st.sampled_from([False, False, False, True]),
    )
    def join(self, name, room, after, has_epoch, is_other):
        ear = self.ears.get(name)
        if ear is None:
            return
        if isinstance(after, str):
            after = max(ear.next.get(room, 1) - (after == "last"), 0)
        fields = {"room": room, "after": after}
        if has_epoch:
            fields["epoch"] = "other" if is_other else self.chat.hub.rooms[room].epoch
        self._command(ear, "join", fields)

    @rule(name=people, room=rooms)
    def leave(self, name, room):
        ear = self.ears.get(name)
        if ear is not None and room in ear.person.rooms:
            self._command(ear, "leave", {"room": room})

    @rule()
    def end_turn(self):
        self.chat.end_turn()

    @precondition(lambda self: self.chat.store.owes_answers)
    @rule()
    def answer(self):
        self.chat.store.answer_next()

    @precondition(lambda self: self.chat.store.owes_answers)
    @rule()
    def fail(self):
        self.chat.store.answer_next(StoreError("the disk is full"))

    @precondition(lambda self: self.chat.delivery.draining)
    @rule()
    def drain(self):
        self.chat.delivery.drain_next()

    def _command(self, ear, command, fields):
        """Give a command as a session does: after all that came before it is answered."""
        if ear.is_busy:
            return

        def run():
            seq = self.chat.hub.rooms[fields["room"]].seq
            ear.asked.append((self.chat.next_ref, command, fields, seq))
            done = self.chat.command(ear.person, command, **fields)
            done.addBoth(lambda _: setattr(ear, "is_busy", False))

        ear.is_busy = True
        if ear.person.unsettled:
            ear.person.then = run
        else:
            run()

    @invariant()
    def everyone_hears_all_in_order(self):
        for ear in [*self.ears.values(), self.keeper]:
            ear.listen()
        for name, ear in list(self.ears.items()):
            if ear.person.is_over:
                del self.ears[name]

    def teardown(self):
        chat = self.chat
        chat.finish()
        self.everyone_hears_all_in_order()
        assert chat.failures == []
        assert set(chat.hub.rooms) == set(ROOMS)
        for key, room in chat.hub.rooms.items():
            inside = {ear.person for ear in self.ears.values() if key in ear.person.rooms}
            assert set(room.members.values()) == inside | {self.keeper.person}
            assert (room.holds, room.count) == (0, len(inside) + 1)
            for ear in [*self.ears.values(), self.keeper]:
                assert (key in ear.next) == (key in ear.person.rooms)
                assert ear.next.get(key, room.seq + 1) == room.seq + 1, (ear.next, room.seq)
        for name, ear in self.ears.items():
            assert ear.person.unsettled == 0
            mine = [id for id in self.said[name] if id.endswith(id_of(ear))]
            assert set(mine) <= set(ear.receipts), "something that was said has no answer"


def id_of(ear):
    return ear.person.id.replace(" ", "-")


class InterleavingTests(SynchronousTestCase):
    def test_any_interleaving(self):
        """Nobody ever hears anything twice, out of order or not at all, and all is answered."""
        run_state_machine_as_test(
            Interleaving,
            settings=settings(
                max_examples=200,
                stateful_step_count=100,
                report_multiple_bugs=False,
                phases=[Phase.generate, Phase.shrink],
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),  # no timing decides here
            ),
        )
