"""A backplane in memory, which several factories of one process share; with faults at will."""

from __future__ import annotations

import json
from collections import deque
from itertools import count
from typing import Any, NamedTuple

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from chatd.backplane.interface import Found, IBackplane, Inside, LinkState
from chatd.chat.names import fold
from chatd.errors import RequestError, StoreError
from chatd.storage.memory import MEMORY_RETENTION, MemoryStore
from chatd.storage.streamkeys import ROOM_PREFIX, direct_names, is_room
from tests.chat.slowstore import SlowStore


class Claim(NamedTuple):
    """A session's claim of a name."""

    node: Any
    name: str
    is_account: bool
    away: Any = None


class SharedMemory:
    """What the nodes share.

    Args:
        retention: How much of a stream is kept.
        store: Keeps the messages; by default a new store.
        unix_time: Returns the backplane's time in Unix seconds; by default `now`.
        is_late: Whether every call, and whatever others did, waits until `carry_on`.

    Attributes:
        now: The backplane's time, in Unix seconds.
        store: Keeps the messages. If it has a `failure`, every call fails.
    """

    def __init__(self, retention=MEMORY_RETENTION, *, store=None, unix_time=None, is_late=False):
        self.retention = retention
        self.now = 1_000_000.0
        self.unix_time = unix_time or (lambda: self.now)
        self.store = store or self._new_store()
        self.store.is_held = self.is_open
        self.is_late = is_late
        self.nodes = []
        self.names = {}  # the claims of each folded name, by session
        self.inside = {}  # the names in each stream's room: by the folded name, then by node
        self.bans = {}
        self.away_numbers = count(1)
        self._waiting: deque[Any] = deque()
        self._is_carrying_on = False

    def node(self):
        """Return the backplane of another daemon."""
        node = MemoryBackplane(self)
        self.nodes.append(node)
        return node

    def is_open(self, stream):
        """Return whether a node has a stream open."""
        return any(stream in node.positions for node in self.nodes)

    # What is late

    @property
    def owes(self):
        """Whether something waits for `carry_on`."""
        return bool(self._waiting)

    def soon(self, act):
        """Do something, after all that waits."""
        if self.is_late:
            self._waiting.append(act)
        else:
            act()

    def carry_on(self):
        """Do all that waits, in its order, and all that comes of it."""
        if not self._is_carrying_on:
            self._is_carrying_on = True
            while self._waiting:
                self.carry_one()
            self._is_carrying_on = False

    def carry_one(self):
        """Do the first thing that waits."""
        self._waiting.popleft()()

    def lose_messages(self):
        """Lose all messages: each room gets another epoch."""
        open_rooms = {key for node in self.nodes for key in node.positions}
        names = {key: self.head_of(key).name for key in open_rooms}
        self.store = self._new_store()
        self.store.is_held = self.is_open
        for key, name in names.items():
            now(self.store.open_stream(key, name))
        for node in self.nodes:
            for key in list(node.positions):
                node.push(lambda node=node, key=key: node.fill(key))

    def announce(self, stream, event, but=""):
        for node in self.nodes:
            node.push(
                lambda node=node: (
                    node.listener.heard_event(stream, json_copy(event), but)
                    if stream in node.positions
                    else None
                )
            )

    def head_of(self, stream):
        """Return where a stream stands."""
        return now(MemoryStore.read(self.store, stream, limit=1, max_bytes=1)).head

    def is_banned(self, key):
        """Return whether a ban with a key is in force."""
        ban = self.bans.get(key)
        return ban is not None and (ban.until is None or ban.until > self.unix_time())

    def _new_store(self):
        return SlowStore(self.retention, unix_time=self.unix_time)


@implementer(IBackplane)
class MemoryBackplane:
    """One node of a backplane in memory.

    Attributes:
        is_up: Whether the link works.
        is_held: Whether calls wait until `go_on`.
        is_slow: Whether what others did waits until `catch_up`.
        is_deaf: Whether what others did gets lost.
        positions: The epoch and the place of each open stream.
        calls: The names of the called methods.
    """

    def __init__(self, shared):
        self.shared = shared
        self.listener: Any = None
        self.is_up = True
        self.is_held = False
        self.is_slow = False
        self.is_deaf = False
        self.positions = {}
        self.calls = []
        self.unheard: list[Any] = []  # the direct messages of the time without a link
        self.has_lease = True
        self._waiting: deque[Any] = deque()
        self._pushed: deque[Any] = deque()

    # Switches

    def go_on(self):
        """Do the calls that were held."""
        self.is_held = False
        while self._waiting:
            self._waiting.popleft().callback(None)

    @property
    def owes_answers(self):
        """Whether calls are held."""
        return bool(self._waiting)

    def answer_next(self):
        """Do the call that was held first; later ones stay held."""
        self._waiting.popleft().callback(None)

    def catch_up(self):
        """Hear what was slow."""
        self.is_slow = False
        while self._pushed:
            self._pushed.popleft()()

    def lose_link(self, *, lease=False):
        """Lose the link, and perhaps the lease."""
        self.is_up = False
        if lease:
            self.lose_lease()
        self.listener.linked(LinkState(False, "the backplane does not answer"))

    def lose_lease(self):
        """Free the names of this node's sessions, and take them out of their rooms."""
        self.has_lease = False
        for claims in self.shared.names.values():
            for session in [id for id, claim in claims.items() if claim.node is self]:
                del claims[session]
        for stream, inside in self.shared.inside.items():
            for key in [key for key, nodes in inside.items() if self in nodes]:
                self._quit(stream, key, {})

    def restore_link(self):
        """Attach anew."""
        self.is_up = True
        lost = []
        for session, name, away, is_account in self.listener.present():
            claims = self.shared.names.setdefault(fold(name), {})
            if session not in claims and not may_claim(claims, is_account):
                lost.append(session)
                continue
            number = (next(self.shared.away_numbers), away) if away else None
            claims[session] = Claim(self, name, is_account, number)
        self.listener.names_lost(lost)
        self._hear_directs()
        for stream, name in self.listener.rooms_inside():
            self._enter(stream, name)
        for stream in list(self.positions):
            self.fill(stream)
            self.listener.stands(stream, self.shared.store._streams[stream].head)
        self.listener.linked(LinkState(True))

    def _hear_directs(self):
        """Hear the direct messages of the meantime; without a lease, only that there were some."""
        unheard, self.unheard = self.unheard, []
        if self.has_lease:
            for message in unheard:
                self.listener.heard_direct(message)
            return
        self.has_lease = True
        told = {fold(name) for each in unheard for name in (each.sender, each.to)}
        here = {fold(name) for _, name, _, _ in self.listener.present()}
        self.listener.directs_missed(sorted(told & here))

    # What others did

    def push(self, hear):
        if self.is_up and not self.is_deaf:
            if self.is_slow:
                self._pushed.append(hear)
            else:
                self.shared.soon(hear)

    def hear(self, stream, message):
        """Hear a message of another node, and before it what was not heard yet."""
        self.fill(stream, message.seq)

    def fill(self, stream, last=None):
        """Hear what the node has not heard of an open stream, up to a place or to its end."""
        if stream not in self.positions:
            return
        epoch, seq = self.positions[stream]
        most = 10_000 if last is None else last - seq
        if most <= 0:
            return
        page = now(
            MemoryStore.read(self.shared.store, stream, after=seq, limit=most, max_bytes=2**30)
        )
        if page.head.epoch != epoch:
            self.positions[stream] = page.head.epoch, page.head.seq
            self.listener.moved(stream, page.head)
            return
        if page.head.oldest > seq + 1:
            self.listener.missed(stream, page.head.oldest - 1)
        if page.messages:
            self.positions[stream] = epoch, page.messages[-1].seq
            self.listener.heard(stream, page.messages)

    async def _ready(self, call):
        self.calls.append(call)
        if self.is_held or self.shared.is_late:
            waiting: Deferred[None] = Deferred()
            if self.is_held:
                self._waiting.append(waiting)
            else:
                self.shared.soon(lambda: waiting.callback(None))
            await waiting
        if not self.is_up:
            raise StoreError("the backplane does not answer")
        if self.shared.store.failure is not None:
            raise self.shared.store.failure

    def _later(self, call, act, *args):
        """Do something after all earlier calls."""
        self.calls.append(call)
        done: Deferred[Any] = Deferred()
        done.addCallback(lambda _: act(*args) if self.is_up else None)
        if self.is_held:
            self._waiting.append(done)
        else:
            self.shared.soon(lambda: done.callback(None))

    # The store

    def listen(self, listener):
        self.listener = listener

    def open(self):
        """Do nothing."""

    async def close(self):
        """Do nothing."""

    async def open_stream(self, stream, name):
        await self._ready("open_stream")
        head = await self.shared.store.open_stream(stream, name)
        if is_room(stream):
            if stream in self.positions:
                self.fill(stream)
            self.positions[stream] = head.epoch, head.seq
        return head

    async def append(self, entries):
        await self._ready("append")
        stamped = [
            msgspec.structs.replace(
                entry, header=msgspec.structs.replace(entry.header, time=self.shared.unix_time())
            )
            for entry in entries
        ]
        outcomes = await self.shared.store.append(stamped)
        for entry, outcome in zip(entries, outcomes, strict=True):
            if not isinstance(outcome, RequestError):
                seq = outcome.message.seq
                self.fill(entry.stream, seq - outcome.is_new)
                if outcome.is_new:
                    self._tell_others(entry.stream, outcome.message)
        return outcomes

    def _tell_others(self, stream, message):
        if stream in self.positions:
            self.positions[stream] = self.positions[stream][0], message.seq
        for node in self.shared.nodes:
            if node is not self:
                if direct_names(stream)[0] is None:
                    node.push(lambda node=node: node.hear(stream, message))
                elif node.is_up:
                    node.push(lambda node=node: node.listener.heard_direct(message))
                else:
                    node.unheard.append(message)

    async def read(self, stream, **options):
        await self._ready("read")
        page = await self.shared.store.read(stream, **options)
        self.fill(stream)
        return page

    async def set_topic(self, stream, topic):
        await self._ready("set_topic")
        await self.shared.store.set_topic(stream, topic)

    async def release(self, stream):
        await self._ready("release")
        self.positions.pop(stream, None)
        if not self.shared.is_open(stream):
            await self.shared.store.release(stream)

    async def rooms(self, after="", *, limit):
        await self._ready("rooms")
        return await self.shared.store.rooms(after, limit=limit)

    async def conversations(self, author, after="", *, limit):
        await self._ready("conversations")
        return await self.shared.store.conversations(author, after, limit=limit)

    async def private_rooms(self):
        await self._ready("private_rooms")
        return await self.shared.store.private_rooms()

    async def keep_private(self, room, *, instead_of):
        await self._ready("keep_private")
        return await self.shared.store.keep_private(room, instead_of=instead_of)

    async def drop_private(self, room):
        await self._ready("drop_private")
        return await self.shared.store.drop_private(room)

    async def expire(self):
        await self._ready("expire")
        await self.shared.store.expire()

    # Names

    async def claim(self, names, session, *, is_account, bans):
        await self._ready("claim")
        if any(map(self.shared.is_banned, bans)):
            raise RequestError("banned", "you are banned from this server")
        for name in names:
            claims = self.shared.names.setdefault(fold(name), {})
            if may_claim(claims, is_account):
                claims[session] = Claim(self, name, is_account)
                return name
        raise RequestError("name-taken", "none of the names is free")

    def depart(self, session, name):
        self._later("depart", self._depart, session, name)

    def _depart(self, session, name):
        self.shared.names.get(fold(name), {}).pop(session, None)

    async def set_away(self, session, name, text):
        await self._ready("set_away")
        claims = self.shared.names[fold(name)]
        if text:
            away = (next(self.shared.away_numbers), text)
            claims[session] = claims[session]._replace(away=away)
        else:
            for each in claims:
                claims[each] = claims[each]._replace(away=None)

    async def find(self, names):
        await self._ready("find")
        return [self._found(name) for name in names]

    def _found(self, key):
        claims = list(self.shared.names.get(key, {}).values())
        if not claims:
            return Found("", 0)
        away = max((claim.away for claim in claims if claim.away), default=None)
        return Found(claims[0].name, len(claims), away)

    # Presence

    def enter(self, stream, name, *, is_silent=False):
        self._later("enter", self._enter, stream, name, is_silent)

    def _enter(self, stream, name, is_silent=False):
        inside = self.shared.inside.setdefault(stream, {})
        key = fold(name)
        is_new = key not in inside
        inside.setdefault(key, {})[self] = name
        if is_new and self._announces(inside, is_silent):
            room = self.shared.head_of(stream).name
            self.shared.announce(stream, {"event": "joined", "room": room, "name": name}, key)

    def quit(self, stream, name, *, why, is_silent=False):
        self._later("quit", self._quit, stream, name, why, is_silent)

    def _quit(self, stream, name, why, is_silent=False):
        inside = self.shared.inside.get(stream, {})
        is_told = self._announces(inside, is_silent)
        nodes = inside.get(fold(name), {})
        spelled = nodes.pop(self, name)
        if not nodes and inside.pop(fold(name), None) is not None and is_told:
            room = self.shared.head_of(stream).name
            self.shared.announce(stream, {"event": "left", "room": room, "name": spelled, **why})

    def _announces(self, inside, is_silent):
        return not is_silent and len(inside) <= self.listener.presence_limit()

    async def count(self, streams):
        await self._ready("count")
        return [len(self.shared.inside.get(stream, {})) for stream in streams]

    async def inside(self, stream, after, *, limit):
        await self._ready("inside")
        inside = self.shared.inside.get(stream, {})
        names = []
        for key in sorted(key for key in inside if key > after)[:limit]:
            found = self._found(key)
            names.append(
                (key, next(iter(inside[key].values())), found.away[1] if found.away else "")
            )
        return Inside(names, len(inside))

    async def peopled(self, after="", *, limit):
        await self._ready("peopled")
        streams = sorted(
            stream
            for stream, inside in self.shared.inside.items()
            if inside and stream > ROOM_PREFIX + after
        )
        return [
            (self.shared.head_of(stream), len(self.shared.inside[stream]))
            for stream in streams[:limit]
        ]

    # Bans

    async def bans(self):
        await self._ready("bans")
        return list(self.shared.bans.values())

    async def keep_ban(self, ban):
        await self._ready("keep_ban")
        ended = [key for key in self.shared.bans if not self.shared.is_banned(key)]
        for key in ended:
            del self.shared.bans[key]
        self.shared.bans[ban.key] = ban

    async def drop_ban(self, key):
        await self._ready("drop_ban")
        was_banned = self.shared.is_banned(key)
        self.shared.bans.pop(key, None)
        return was_banned

    # Words between nodes

    def tell_room(self, stream, event, *, but=""):
        self._later("tell_room", self.shared.announce, stream, event, but)

    async def tell_topic(self, stream, event):
        await self._ready("tell_topic")
        await self.shared.store.set_topic(stream, event["topic"])
        self.shared.announce(stream, event)

    def tell_name(self, name, event):
        for node in self.shared.nodes:
            if node is not self:
                node.push(lambda node=node: node.listener.heard_for(fold(name), json_copy(event)))

    async def ask_all(self, question):
        await self._ready("ask_all")
        others = [node for node in self.shared.nodes if node is not self and node.is_up]
        return [await answer for answer in [node.answer(question) for node in others]]

    def answer(self, question):
        """Return a Deferred of this node's answer to another's question."""
        answered: Deferred[Any] = Deferred()

        async def ask():
            told = json_copy(await self.listener.asked(json_copy(question)))
            self.shared.soon(lambda: answered.callback(told))

        self.shared.soon(lambda: Deferred.fromCoroutine(ask()).addErrback(answered.errback))
        return answered


def may_claim(claims, is_account):
    return not claims or (is_account and all(claim.is_account for claim in claims.values()))


def json_copy(value):
    """Return what another process would get of a value."""
    return json.loads(json.dumps(value))


def now(coroutine):
    """Return the result of a coroutine that is done at once."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waits")
