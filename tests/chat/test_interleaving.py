"""Tests of the messages that each member gets, with all events in random orders."""

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.chat import history
from chatd.errors import RequestError, StoreError
from tests.chat.redisdaemons import RedisChat
from tests.chat.twodaemons import TwoDaemonsChat
from tests.chat.wiring import Chat, is_result, is_said

ROOMS = ("lobby", "tea")
NAMES = ("ann", "bob", "cat")
PAGE = 2
BEYOND = 10_000  # a place that no room reaches


class Ear:
    """Checks the messages of one person: those that may come next, from those until now.

    Attributes:
        next: The place of the next message in each room that the person is in.
        is_busy: Whether a command is running; the session's next command is read after that.
    """

    def __init__(self, person, record):
        self.person = person
        self.next = {}
        self.receipts = []
        self.asked = []
        self.is_busy = False
        self._record = record

    def listen(self):
        """Take the new messages, and check that they are in order, without a gap or a duplicate."""
        for item in self.person.take():
            if is_result(item) or isinstance(item, RequestError):
                self._answered(item)
            elif is_said(item):
                self._heard(item)

    def _answered(self, item):
        ref = item.ref if isinstance(item, RequestError) else item.header["id"]
        if not self.asked or self.asked[0][0] != ref:  # a message was refused
            self.receipts.append(ref)
            return
        _, command, fields = self.asked.pop(0)
        if isinstance(item, RequestError):
            return
        if command == "leave":
            del self.next[fields["room"]]
            return
        result = item.header
        after, epoch = fields.get("after"), fields.get("epoch")
        is_same = epoch in (None, result["epoch"])
        if after is None:
            if result["room"] not in self.next:  # else the person is in the room already
                self.next[result["room"]] = result["seq"] + 1
            assert not result["recovered"]
        else:
            # All messages are kept here, so a person with a place of this order misses none.
            assert result["recovered"] == (is_same and after <= result["seq"]), (fields, result)
            self.next[result["room"]] = after + 1 if result["recovered"] else 1

    def _heard(self, message):
        assert message.seq == self.next[message.room], (message, self.next)
        self.next[message.room] += 1
        as_said = message.with_ref(None)
        assert self._record.setdefault((message.room, message.seq), as_said) == as_said
        if message.sender == self.person.name:
            self.receipts.append(message.id)


class Interleaving:
    """All persons speak, join, leave, read slowly and vanish; the store is slow, and fails.

    Args:
        seed: Decides the steps and their order.
        chat: The chat.
    """

    def __init__(self, seed, chat):
        self.random = Random(seed)
        self.steps = []
        self.chat = chat
        self.record: dict[Any, Any] = {}
        self.ears = {}
        self.said = {}
        # This member stays, so that the rooms and their orders stay.
        self.keeper = Ear(self.chat.arrive("keeper", rooms=ROOMS), self.record)
        self.keeper.next = dict.fromkeys(ROOMS, 1)
        for room in ROOMS:
            self.chat.say(self.keeper.person, "welcome", room=room)
        self.chat.end_turn()
        self.chat.begin_late()
        self.chat.store.page = PAGE
        self.chat.store.is_slow = True
        self.chat.delivery.is_slow = True

    def run(self, count):
        """Take some steps, with a check after each; then let everything finish."""
        steps = [self.say] * 4 + [self.answer] * 8 + [self.end_turn] * 3 + [self.drain] * 3
        steps += [self.join] * 4 + [self.leave, self.vanish, self.fail]
        if self.chat.is_late:
            steps += [self.carry] * 12
        for _ in range(count):
            step = self.random.choice(steps)
            step(self._ear(), self.random.choice(ROOMS))
            self.check()
        self.finish()

    def say(self, ear, room):
        if room in ear.person.rooms:
            for _ in range(self.random.randint(1, 3)):
                id = f"{len(self.said[ear])} of {ear.person.id}"
                self.said[ear].append(id)
                self.chat.say(ear.person, id, id=id, room=room)
            self.steps.append(f"{ear.person.name} says {self.said[ear][-1]} in {room}")

    def join(self, ear, room):
        last = ear.next.get(room, 1) - 1
        fields = {"room": room, "after": self.random.choice((None, last, last, BEYOND, 0))}
        if self.random.random() < 0.5:
            epochs = (self.chat.rooms[room].epoch, "another")
            fields["epoch"] = self.random.choices(epochs, (3, 1))[0]
        self._command(ear, "join", fields)

    def leave(self, ear, room):
        if room in ear.person.rooms:
            self._command(ear, "leave", {"room": room})

    def vanish(self, ear, _):
        self.steps.append(f"{ear.person.name} vanishes")
        self.chat.delivery.vanish(ear.person)

    def end_turn(self, *_):
        self.steps.append("the turn ends")
        self.chat.end_turn()

    def answer(self, *_, error=None):
        if self.chat.store.owes_answers:
            self.steps.append(f"{self.chat.store.asked_first} is answered: {error}")
            self.chat.store.answer_next(error)

    def carry(self, *_):
        self.steps.append("one thing is carried between the daemons")
        self.chat.carry_one(self.random)

    def fail(self, *_):
        self.answer(error=StoreError("the disk is full"))

    def drain(self, *_):
        if self.chat.delivery.draining:
            self.steps.append("somebody has read")
            self.chat.delivery.drain_next()

    def _ear(self):
        """Return a random person; a new person takes the name of a person that has left."""
        name = self.random.choice(NAMES)
        if name not in self.ears:
            ear = Ear(self.chat.arrive(name, rooms=()), self.record)
            self.ears[name] = ear
            self.said[ear] = []
        return self.ears[name]

    def _command(self, ear, command, fields):
        """Give a command as a session does: after the answers to everything before it."""
        if ear.is_busy:
            return

        def run():
            self.steps.append(f"{ear.person.name} is given {command} {fields}")
            ear.asked.append((self.chat.next_ref, command, fields))
            done = self.chat.command(ear.person, command, **fields)
            done.addBoth(lambda _: setattr(ear, "is_busy", False))

        ear.is_busy = True
        if ear.person.answers.owed:
            ear.person.then = run
        else:
            run()

    def check(self):
        """Check the messages of all persons, and forget the persons that have left."""
        for ear in [*self.ears.values(), self.keeper]:
            ear.listen()
        self.ears = {name: ear for name, ear in self.ears.items() if not ear.person.is_over}

    def finish(self):
        """Answer, store and read everything, and check that no work remains."""
        chat = self.chat
        chat.end_late()
        chat.finish()
        self.check()
        assert chat.failures == []
        assert set(chat.rooms) == set(ROOMS)
        for key, room in chat.rooms.items():
            inside = {ear.person for ear in self.ears.values() if key in ear.person.rooms}
            ids = {person.id for person in inside} | {self.keeper.person.id}
            assert set(room.members) == ids
            assert (room.holds, room.count) == (0, len(inside) + 1)
            for ear in [*self.ears.values(), self.keeper]:
                assert (key in ear.next) == (key in ear.person.rooms)
                assert ear.next.get(key, room.seq + 1) == room.seq + 1, "something was not heard"
        for ear in self.ears.values():
            assert (ear.person.answers.owed, ear.is_busy, ear.asked) == (0, False, [])
            assert set(self.said[ear]) <= set(ear.receipts), "something that was said has no answer"


class InterleavingTests(SynchronousTestCase):
    def check(self, seeds, make_chat):
        for seed in seeds:
            chat = make_chat()
            interleaving = Interleaving(seed, chat)
            try:
                interleaving.run(150)
            except AssertionError as error:
                steps = "\n".join(interleaving.steps)
                raise self.failureException(f"seed {seed}: {error!r} after\n{steps}") from error
            finally:
                chat.close()

    def test_any_interleaving(self):
        """Each member gets each message once and in order, and every command gets an answer."""
        self.check(range(1_000), Chat)

    def test_over_two_daemons(self):
        """So it is over two daemons, however late they hear of each other."""
        self.check(range(500), TwoDaemonsChat)

    def test_over_redis(self):
        """So it is over a redis-server, in any order of its answers and pushes."""
        self.patch(history, "MAX_PAGE", PAGE)
        self.check(range(100), RedisChat)
