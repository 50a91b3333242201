"""A model of private rooms: whatever happens, nobody uninvited learns anything of a private room.

The machine does not know how the chat decides. It keeps its own account of the rooms that are
private and of the names that are invited, and reads all that each person is told.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RequestError
from chatd.wire.messages import Message, MessageType
from tests.chat.recorder import Person
from tests.chat.twodaemons import TwoDaemonsChat
from tests.chat.wiring import Chat

ROOMS = ["den"]
ACCOUNTS = ["ann", "bob"]
PEOPLE = ["op", *ACCOUNTS, "guest-1"]
SECRET = "secret"
"""In each topic and message; only the room's name and this word tell of a room."""

CHANGES = {"private", "public", "invite", "uninvite", "topic"}

rooms = st.sampled_from(ROOMS)
accounts = st.sampled_from(ACCOUNTS)
people = st.sampled_from(PEOPLE)
operators = st.sampled_from(["op", "op", "op", "ann"])


class AccessMachine(RuleBasedStateMachine):
    """Random commands, over a store that answers late; each person's messages are read at once."""

    chat_class: type[Chat] = Chat

    def __init__(self) -> None:
        super().__init__()
        self.chat = self.chat_class(operators=["op"], needs_account=True, has_accounts=True)
        self.chat.store.page = 1
        self.people: dict[str, Person] = {}
        for name in PEOPLE:
            self.arrive(name)
        self.states: list[dict[str, set[str]]] = [{}]  # each may be in force at some daemon
        self.changing: set[str] = set()  # the changes that are not answered yet
        self.operators = {"op"}
        self.asked: dict[str, tuple[str, str]] = {}  # each command and its room
        self.inside: dict[str, set[str]] = {}  # the rooms that each person was in at the last look
        self.own: dict[str, str] = {}  # the author of each message
        for name in ACCOUNTS:
            self.give(name, "den", "join")
            self.say(name, "den")
            self.chat.end_turn()
        self.give("op", "den", "private")

    def arrive(self, name: str) -> None:
        is_account = not name.startswith("guest")
        was_slow, self.chat.store.is_slow = self.chat.store.is_slow, False
        self.people[name] = self.chat.arrive(name, rooms=["lobby"], account=is_account)
        self.chat.store.is_slow = was_slow

    # What may happen

    @rule(name=people, room=rooms, command=st.sampled_from(["join", "leave", "who", "history"]))
    def ask(self, name: str, room: str, command: str) -> None:
        self.give(name, room, command)

    @rule(name=people, room=rooms, after=st.integers(0, 5))
    def resume(self, name: str, room: str, after: int) -> None:
        self.give(name, room, "join", after=after)

    @rule(name=people, room=rooms)
    def set_topic(self, name: str, room: str) -> None:
        self.give(name, room, "topic", topic=f"{SECRET} {room} {len(self.asked)}")

    @rule(name=people)
    def list_rooms(self, name: str) -> None:
        self.give(name, "", "rooms")

    @rule(name=people, room=rooms)
    def say(self, name: str, room: str) -> None:
        id = f"said {len(self.own)}"
        self.own[id] = name
        self.asked[id] = "say", room
        self.chat.say(self.people[name], f"{SECRET} {room}", id=id, room=room)

    @rule(name=operators, room=rooms, command=st.sampled_from(["private", "private", "public"]))
    def change_room(self, name: str, room: str, command: str) -> None:
        self.give(name, room, command)

    @rule(name=people, room=rooms, other=accounts, command=st.sampled_from(["invite", "uninvite"]))
    def change_invitation(self, name: str, room: str, other: str, command: str) -> None:
        self.give(name, room, command, name=other)

    @rule(name=accounts)
    def change_operators(self, name: str) -> None:
        self.read()  # all that was told before the change
        self.operators ^= {name}
        self.chat.use_operators(self.operators)

    @rule(name=people)
    def come_back(self, name: str) -> None:
        if self.settled():
            self.chat.delivery.vanish(self.people[name])
            self.arrive(name)

    @rule()
    def slow_down(self) -> None:
        self.chat.store.is_slow = not self.chat.store.is_slow

    @precondition(lambda self: self.chat.store.owes_answers)
    @rule(method=st.sampled_from(["read", "keep_private", "open_stream", "append"]))
    def answer(self, method: str) -> None:
        """Answer a call, not always in the order of the calls."""
        if self.chat.store.owes(method):
            self.chat.store.answer(method)
        else:
            self.chat.store.answer_next()

    @rule()
    def end_turn(self) -> None:
        self.chat.end_turn()

    # The model

    def settled(self) -> bool:
        """Let the store answer everything, with a look at each answer; return True."""
        self.chat.end_turn()
        while self.chat.store.owes_answers:
            self.read()
            self.chat.store.answer_next()
            self.chat.end_turn()
        self.read()
        return True

    def give(self, person: str, room: str, command: str, **fields: Any) -> None:
        if room:
            fields["room"] = room
        if command in CHANGES:
            self.changing.add(self.chat.next_ref)
        self.asked[self.chat.next_ref] = command, room
        self.chat.command(self.people[person], command, **fields)

    @invariant()
    def read(self) -> None:
        """Note the changes that took place, and read the events of every member."""
        self.states = self.in_force(
            {room.key: set(room.invited) for room in self.chat.store._private.values()}
        )
        assert self.chat.failures == []
        for name, person in self.people.items():
            # What was said before somebody is removed comes before the news of that.
            leaving = {room for room in self.inside.get(name, ()) if not self.may_know(name, room)}
            for told in person.take():
                if not self.is_event(told, "removed"):
                    self.check(name, told, leaving)
                else:
                    leaving.discard(told.header["room"])
            assert not leaving, (name, leaving, "is not told")
        self.inside = {name: set(person.rooms) for name, person in self.people.items()}

    def in_force(self, kept: dict[str, set[str]]) -> list[dict[str, set[str]]]:
        """Return the states that may be in force, by what is kept."""
        return [kept]

    def is_event(self, told: Any, event: str) -> bool:
        is_any = isinstance(told, Message) and told.type == MessageType.EVENT
        return is_any and dict(told.header)["event"] == event

    def check(self, name: str, told: Any, leaving: set[str]) -> None:
        if isinstance(told, RequestError):
            self.changing.discard(told.ref or "")
            # Two refusals name a room, and only the room that the person asked for; "not in it" is
            # the same for a room that does not exist.
            _, asked = self.asked.get(told.ref or "", ("", ""))
            named = {room for room in ROOMS if room in told.message}
            assert named <= {asked}, told
            assert not named or told.code in ("not-invited", "not-in-room"), told
            return
        header: Any = told.header
        if told.type == MessageType.MESSAGE and self.own.get(told.id or "") == name:
            return  # a receipt
        if told.type == MessageType.RESULT and self.asked[header["id"]][0] in CHANGES:
            self.changing.discard(header["id"])
            return  # it repeats what the person asked for when that was allowed
        text = f"{header} {told.content.decode()}"
        for room in ROOMS:
            if room in text:
                assert self.may_know(name, room) or room in leaving, (name, self.states, told)

    @invariant()
    def nobody_is_inside(self) -> None:
        """No member is in a room that the member may not know of."""
        for name, person in self.people.items():
            for room in person.rooms:
                assert self.may_know(name, room), (name, room)

    def may_know(self, name: str, room: str) -> bool:
        return any(self.may_know_in(state, name, room) for state in self.states)

    def may_know_in(self, state: dict[str, set[str]], name: str, room: str) -> bool:
        if room not in state:
            return True
        if name.startswith("guest"):
            return False
        return name in self.operators or name in state[room]


bounded = settings(max_examples=100, stateful_step_count=40)


class TwoDaemonsAccessMachine(AccessMachine):
    """The same over two daemons: both have put a change in force when it is answered."""

    chat_class = TwoDaemonsChat

    def in_force(self, kept: dict[str, set[str]]) -> list[dict[str, set[str]]]:
        return [*self.states, kept] if self.changing else [kept]


class AccessMachineTests(SynchronousTestCase):
    def test_machine(self) -> None:
        """Without an invitation, no member is in a private room or gets its messages."""
        run_state_machine_as_test(AccessMachine, settings=bounded)

    def test_over_two_daemons(self) -> None:
        """So it is over two daemons."""
        run_state_machine_as_test(TwoDaemonsAccessMachine, settings=bounded)
