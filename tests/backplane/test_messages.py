"""Tests of messages to rooms, in one chat of two daemons."""

from twisted.internet.defer import Deferred

from chatd.errors import RequestError, SessionEnded, StoreError
from chatd.storage.values import Head, Retention
from tests.backplane.daemons import DaemonsCase


class MessageTests(DaemonsCase):
    def setUp(self):
        super().setUp()
        self.ann = self.connect(self.one, "ann")
        self.bob = self.connect(self.two, "bob")

    def test_order(self):
        """The members of a room get the messages of both daemons in one order, each once."""
        for number in range(5):
            self.ann.send(f"ann {number}")
            self.bob.send(f"bob {number}")
            self.pump()
        self.assertEqual(self.ann.texts, self.bob.texts)
        self.assertEqual(len(set(self.ann.texts)), 10)
        self.assertEqual(self.ann.seqs, list(range(1, 11)))

    def test_stamped(self):
        """The backplane's time stamps the messages of all daemons."""
        self.shared.now = 2_000_000.0
        self.assertEqual(self.say(self.ann, "one").time, 2_000_000.0)
        self.assertEqual(self.say(self.bob, "two").time, 2_000_000.0)

    def test_slow(self):
        """A member hears what was said elsewhere before its own message, however late it comes."""
        self.there.is_slow = True
        self.say(self.ann, "one")
        self.assertEqual(self.bob.texts, [])
        self.say(self.bob, "two")
        self.there.catch_up()
        self.say(self.ann, "three")
        self.assertEqual(self.bob.texts, ["one", "two", "three"])
        self.assertEqual(self.ann.texts, self.bob.texts)

    def test_lost_push(self):
        """A message whose push got lost comes before the next message."""
        self.there.is_deaf = True
        self.say(self.ann, "one")
        self.there.is_deaf = False
        self.say(self.ann, "two")
        self.assertEqual(self.bob.texts, ["one", "two"])

    def test_other_room(self):
        """Only the members of a room hear its messages, and no daemon without members does."""
        self.do(self.ann.join("attic"))
        self.say(self.ann, "psst", room="attic")
        self.assertEqual(self.bob.texts, [])
        self.assertNotIn("room attic", self.there.positions)
        self.there.listener.heard("room attic", [])
        head = Head(name="attic", epoch="1", seq=0, oldest=1)
        self.there.listener.moved("room attic", head)
        self.there.listener.stands("room attic", head)
        self.there.listener.heard_event("room attic", {"event": "topic", "topic": ""}, "")

    def test_server(self):
        """A message of a daemon itself reaches the members everywhere."""
        sent = self.one.factory.send_to_room("lobby", "tea is ready")
        self.assertEqual(self.do(sent).text, "tea is ready")
        self.assertEqual((self.ann.texts, self.bob.texts), (["tea is ready"], ["tea is ready"]))

    def test_retry_elsewhere(self):
        """A message that is sent again under its id at the other daemon is delivered once."""
        first = self.say(self.ann, "once", id="1")
        self.ann.disconnect()
        self.pump()
        ann = self.connect(self.two, "ann")
        again = self.say(ann, "once", id="1")
        self.assertEqual((again.seq, again.time), (first.seq, first.time))
        self.assertEqual(self.bob.texts, ["once"])

    def test_resume_elsewhere(self):
        """A client resumes at the other daemon without a gap or a duplicate."""
        epoch = self.one.factory.hub.roster.rooms["lobby"].epoch
        self.say(self.ann, "one")
        self.ann.disconnect()
        self.pump()
        self.say(self.bob, "two")
        cat = self.connect(self.one, "cat")
        self.say(cat, "three")
        ann = self.connect(self.two, "ann", rooms=())
        joined = self.do(ann.join("lobby", after=1, epoch=epoch))
        self.assertTrue(joined.recovered)
        self.say(cat, "four")
        self.assertEqual(ann.seqs, [2, 3, 4])

    def test_moved(self):
        """When messages may be lost, members must come back; they learn that at their join."""
        seq = self.say(self.ann, "one").seq
        epoch = self.one.factory.hub.roster.rooms["lobby"].epoch
        self.shared.lose_messages()
        for client in (self.ann, self.bob):
            self.assertEqual(self.end_of(client), ("not-stored", True))
        ann = self.connect(self.two, "ann", rooms=())
        self.assertFalse(self.do(ann.join("lobby", after=seq, epoch=epoch)).recovered)

    def test_moved_while_held(self):
        """A room that is open without members takes the new epoch too."""
        room = self.do_now(self.one.factory.hub.roster.open("attic"))
        self.shared.lose_messages()
        self.pump()
        head = self.do_now(self.shared.store.open_stream("room attic", ""))
        self.assertEqual((room.epoch, room.seq, room.last_id), (head.epoch, 0, None))

    def do_now(self, awaitable):
        return self.successResultOf(Deferred.fromCoroutine(awaitable))

    def test_moved_while_reading(self):
        """A member that reads pages of a lost epoch must come back too."""
        for number in range(3):
            self.say(self.ann, f"{number}" * 700_000)
        cat = self.connect(self.two, "cat", rooms=())
        epoch = self.one.factory.hub.roster.rooms["lobby"].epoch
        joining = cat.join("lobby", after=0, epoch=epoch)
        joining.addErrback(lambda _: None)
        read = self.there.read

        async def read_and_lose(stream, **options):
            if self.there.calls.count("read") == 1:
                self.shared.lose_messages()
            return await read(stream, **options)

        self.there.read = read_and_lose
        self.assertEqual(self.end_of(cat), ("not-stored", True))

    def test_topic(self):
        """A topic reaches the members everywhere, and those that join later."""
        self.forget(self.ann, self.bob)
        self.assertEqual(self.do(self.ann.topic("lobby", "tea")), "tea")
        told = [{"room": "lobby", "topic": "tea", "name": "ann"}]
        self.assertEqual((self.ann.take("topic"), self.bob.take("topic")), (told, told))
        self.assertEqual(self.do(self.bob.topic("lobby")), "tea")
        cat = self.connect(self.two, "cat", rooms=())
        self.assertEqual(self.do(cat.join("lobby")).topic, "tea")

    def test_two_topics(self):
        """Of two topics that are set at once, everybody gets that one last which the room has."""
        set_topic = self.shared.store.set_topic

        async def set_and_hold(stream, topic):
            await set_topic(stream, topic)
            self.here.is_held = topic == "tea"

        self.shared.store.set_topic = set_and_hold
        self.do(self.ann.topic("lobby", "tea"))
        self.do(self.bob.topic("lobby", "cocoa"))
        self.here.go_on()
        self.pump()
        for client in (self.ann, self.bob):
            told = [each["topic"] for each in client.take("topic")]
            self.assertEqual(told, ["tea", "cocoa"])
            self.assertEqual(self.do(client.topic("lobby")), "cocoa")


class MissedTests(DaemonsCase):
    """A daemon that hears nothing for longer than the rooms keep messages."""

    retention = Retention(max_messages=2)

    def setUp(self):
        super().setUp()
        self.ann = self.connect(self.one, "ann")
        self.bob = self.connect(self.two, "bob")
        self.do(self.ann.join("attic"))
        self.cat = self.connect(self.two, "cat", rooms=("attic",))
        self.epoch = self.two.factory.hub.roster.rooms["lobby"].epoch
        self.say(self.ann, "one")
        self.there.is_deaf = True
        for text in ("two", "three", "four"):
            self.say(self.ann, text)
        self.there.is_deaf = False

    def check_come_back(self):
        """Check that bob's client learns of its loss when it comes back, and gets all the rest."""
        self.assertEqual(self.bob.texts, ["one"])
        self.assertEqual(self.end_of(self.bob), ("not-stored", True))
        bob = self.connect(self.two, "bob", rooms=())
        self.assertFalse(self.do(bob.join("lobby", after=1, epoch=self.epoch)).recovered)
        self.say(self.ann, "six")
        self.assertEqual(bob.seqs, [4, 5, 6])

    def test_heard(self):
        """The sessions in the room end before they hear the next message; others go on."""
        self.say(self.ann, "five")
        self.check_come_back()
        self.assertTrue(self.cat.is_active)
        self.say(self.ann, "psst", room="attic")
        self.assertEqual(self.cat.texts, ["psst"])

    def test_own_message(self):
        """A member that speaks first does not hear its own message after the gap either."""
        sent = self.bob.send("five", id="5")
        self.assertEqual(self.end_of(self.bob), ("not-stored", True))
        self.assertEqual(self.failureResultOf(sent, SessionEnded).value.code, "not-stored")
        self.check_come_back()

    def test_reading(self):
        """A member that reads the room's pages meanwhile misses nothing, and stays."""
        dan = self.connect(self.two, "dan", rooms=())
        joined = self.do(dan.join("lobby", after=0, epoch=self.epoch))
        self.assertFalse(joined.recovered)
        self.assertEqual(self.end_of(self.bob), ("not-stored", True))
        self.say(self.ann, "five")
        self.assertEqual(dan.seqs, [3, 4, 5])
        self.assertTrue(dan.is_active)

    def test_already_read(self):
        """A member that has the missed messages from a page stays, and gets the rest once."""
        room = self.two.factory.hub.roster.rooms["lobby"]
        (bob,) = self.two.factory.hub.roster.sessions_of("bob")
        room.has_read(bob, 3)
        self.say(self.ann, "five")
        self.assertEqual(self.bob.seqs, [1, 4, 5])
        self.assertTrue(self.bob.is_active)

    def test_not_open(self):
        """A room that is not open here concerns nobody."""
        self.there.listener.missed("room cellar", 5)
        self.assertTrue(self.bob.is_active)


class DirectTests(DaemonsCase):
    accounts = ("ann", "bob")

    def setUp(self):
        super().setUp()
        self.ann = self.connect(self.one, "ann")
        self.other_ann = self.connect(self.two, "ann")
        self.bob = self.connect(self.two, "bob")
        self.forget(self.ann, self.other_ann, self.bob)

    def test_elsewhere(self):
        """A direct message reaches all sessions of both names, on both daemons."""
        self.say(self.ann, "psst", to="bob")
        for client in (self.ann, self.other_ann, self.bob):
            self.assertEqual(client.texts, ["psst"])
        self.say(self.bob, "what?", to="ann")
        for client in (self.ann, self.other_ann, self.bob):
            self.assertEqual(client.texts, ["psst", "what?"])
        self.assertEqual((self.ann.events, self.bob.events), ([], []))

    def test_spelling(self):
        """A direct message has the receiver's own spelling of the name, also at another daemon."""
        bea = self.connect(self.two, "guest-Bea")
        self.assertEqual(self.say(self.ann, "psst", to="GUEST-BEA").to, "guest-Bea")
        self.assertEqual(bea.texts, ["psst"])

    def test_absent(self):
        """The author hears `absent` only if no daemon has a session of the name."""
        self.say(self.ann, "hello?", to="cat", id="1")
        self.assertEqual(self.ann.take("absent"), [{"name": "cat", "ref": "1"}])

    def test_away(self):
        """An author hears each away text of a name once, whichever daemon has it."""
        other_bob = self.connect(self.one, "bob")
        self.do(self.bob.away("lunch"))
        self.say(self.ann, "hello?", to="bob", id="1")
        self.say(self.ann, "hello?", to="bob", id="2")
        self.assertEqual(self.ann.take("away"), [{"name": "bob", "text": "lunch", "ref": "1"}])
        self.do(other_bob.away("a meeting"))
        self.say(self.ann, "hello?", to="bob", id="3")
        self.assertEqual(len(self.ann.take("away")), 1)
        self.do(self.ann.away("asleep"))
        self.say(self.ann, "a note", to="ann")
        self.assertEqual(self.ann.take("away"), [])

    def test_back(self):
        """Any session of a name ends its away texts, on all daemons and for good."""
        other_bob = self.connect(self.one, "bob")
        self.do(self.bob.away("lunch"))
        self.do(other_bob.away())
        self.say(self.ann, "hello?", to="bob")
        self.assertEqual(self.ann.take("away"), [])
        self.there.lose_link(lease=True)
        self.there.restore_link()
        self.say(self.ann, "hello?", to="bob")
        self.assertEqual(self.ann.take("away"), [])

    def hold_second_look(self):
        """Hold the call that finds out whether somebody has come since a message was stored.

        Returns:
            The names of each call, and the Deferred that lets the call go on.
        """
        asked: list[list[str]] = []
        gate: Deferred[None] = Deferred()
        find = self.here.find

        async def find_slowly(names):
            asked.append(names)
            if len(asked) == 2:
                await gate
            return await find(names)

        self.here.find = find_slowly
        return asked, gate

    def test_together(self):
        """Names of messages that arrive while others are looked up are looked up together."""
        asked, gate = self.hold_second_look()
        for name in ("cat", "dan", "eve"):
            self.say(self.ann, "hello?", to=name)
        gate.callback(None)
        self.pump()
        self.assertEqual([each["name"] for each in self.ann.take("absent")], ["cat", "dan", "eve"])
        self.assertEqual(asked, [["cat"], ["cat"], ["dan"], ["eve"], ["dan", "eve"]])

    def test_second_look_fails(self):
        """If the link is lost after messages are stored, their receivers count as absent."""
        _, gate = self.hold_second_look()
        for name in ("cat", "dan"):
            self.say(self.ann, "hello?", to=name)
        gate.errback(StoreError("the link is lost"))
        self.pump()
        self.assertEqual([each["name"] for each in self.ann.take("absent")], ["cat", "dan"])

    def test_come_meanwhile(self):
        """A receiver that comes just before the message is stored gets it, and is not absent."""
        append = self.here.append

        async def append_later(entries):
            self.cat = self.connect(self.two, "guest-cat")
            return await append(entries)

        self.here.append = append_later
        self.say(self.ann, "hello?", to="guest-cat")
        self.assertEqual((self.cat.texts, self.ann.take("absent")), (["hello?"], []))

    def test_left_meanwhile(self):
        """An author that leaves before the receiver is looked up hears nothing more."""
        _, gate = self.hold_second_look()
        self.say(self.ann, "hello?", to="cat")
        (session,) = self.one.factory.hub.roster.sessions_of("ann")
        session.end()
        self.assertEqual(self.end_of(self.ann)[0], "goodbye")
        gate.callback(None)
        self.pump()
        self.assertEqual(self.ann.take("absent"), [])

    def test_short_loss(self):
        """Sessions whose daemon keeps its lease hear the messages of the meantime."""
        self.there.lose_link()
        self.say(self.ann, "psst", to="bob")
        self.there.restore_link()
        self.pump()
        self.assertEqual((self.bob.texts, self.other_ann.texts), (["psst"], ["psst"]))

    def test_missed(self):
        """Sessions that may have missed direct messages must come back; others go on."""
        cat = self.connect(self.two, "guest-cat")
        self.there.lose_link(lease=True)
        self.say(self.ann, "psst", to="bob")
        self.there.restore_link()
        for client in (self.bob, self.other_ann):
            self.assertEqual(self.end_of(client), ("not-stored", True))
        self.assertTrue(cat.is_active)
        bob = self.connect(self.two, "bob")
        (kept,) = self.do(bob.conversations())
        self.assertEqual((kept.other, kept.seq), ("ann", 1))

    def test_not_stored(self):
        """While the link is lost, messages are refused, and stored again when it is back."""
        self.here.lose_link()
        failed = self.ann.send("hello?")
        self.pump()
        self.assertEqual(self.failureResultOf(failed, RequestError).value.code, "not-stored")
        self.here.restore_link()
        self.assertEqual(self.say(self.ann, "hello").text, "hello")
